/* SPDX-License-Identifier: BSD-3-Clause */

/* Lists of testimony that whoever searches them could not rely on. */

#include "tools/testimony/testimony.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FILE_2 (UINT64_C(2) << FILE_SHIFT) /* that the captures below begin with */

static struct flow_record flow(uint64_t last_ns, uint64_t id)
{
	return (struct flow_record){.last_ns = last_ns, .id = FILE_2 + id};
}

static struct judged_capture of_flows(struct flow_record **list, uint64_t n)
{
	return (struct judged_capture){.result = {.n_files = 2, .first_input = 2}, .flows = list,
				       .n_flows = n};
}

static void flows(void **state)
{
	struct flow_record a = flow(5, 4), b = flow(5, 8), c = flow(6, 0), far = flow(7, FILE_2);
	struct flow_record *right[] = {&a, &b, &c}, *turned[] = {&b, &a, &c}, *late[] = {&c, &a},
			   *twice[] = {&a, &b, &b}, *elsewhere[] = {&a, &far};
	struct judged_capture j = of_flows(right, 3);
	(void)state;
	assert_null(out_of_order(&j, 4));
	assert_non_null(out_of_order(&j, 3)); /* two files from the third on are four */
	j = of_flows(turned, 3);
	assert_string_equal(out_of_order(&j, 4), "flows out of order");
	j = of_flows(late, 2);
	assert_string_equal(out_of_order(&j, 4), "flows out of order");
	/* It would be given another number twice. */
	j = of_flows(twice, 3);
	assert_string_equal(out_of_order(&j, 4), "flows out of order");
	j = of_flows(elsewhere, 2);
	assert_string_equal(out_of_order(&j, 4), "a flow of a file that its capture has not");
}

static void findings(void **state)
{
	struct flow_record a = flow(5, 4), b = flow(5, 8);
	struct flow_record *list[] = {&a, &b};
	struct finding of_a = {.scope = SCOPE_FLOW, .flow = &a}, of_b = {.scope = SCOPE_FLOW, .flow = &b};
	struct finding *right[] = {&of_a, &of_b}, *turned[] = {&of_b, &of_a};
	struct judged_capture j = of_flows(list, 2);
	(void)state;
	j.findings = right;
	j.n_findings = 2;
	assert_null(out_of_order(&j, 4));
	j.findings = turned;
	assert_non_null(out_of_order(&j, 4));
	of_b.n_flows = 1;
	j.findings = right;
	assert_string_equal(out_of_order(&j, 4), "a finding over several flows");
}

static void attempts(void **state)
{
	struct attempt right[] = {{.start_ns = 1, .flow_id = FILE_2 + 4},
				  {.start_ns = 1, .flow_id = FILE_2 + 4},
				  {.start_ns = 2, .flow_id = FILE_2}};
	struct judged_capture j = of_flows(NULL, 0);
	(void)state;
	j.attempts = right;
	j.n_attempts = 3;
	assert_null(out_of_order(&j, 4)); /* one connection may have tried twice */
	right[0].start_ns = 3;
	assert_string_equal(out_of_order(&j, 4), "attempts out of order");
	right[0].flow_id = 4;
	assert_string_equal(out_of_order(&j, 4), "an attempt of a file that its capture has not");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows),
		cmocka_unit_test(findings),
		cmocka_unit_test(attempts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
