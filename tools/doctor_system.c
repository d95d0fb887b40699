/* SPDX-License-Identifier: BSD-3-Clause */

/* The machine: kernel, rights, memory, clock, what this program was built with. */

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/source.h"
#include "tools/doctor.h"
#include "tools/libraries.h"

#define MEMLOCK_WANTED (64ull << 20) /* packet memory of AF_XDP for a few queues */

/* The first line of a small file of the kernel, without its end. False: it cannot be read. */
static bool read_line(const char *path, char *out, size_t room)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(out, (int)room, f) != NULL;

	if (f != NULL)
		fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = '\0';
	return ok;
}

static bool capable(unsigned cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	return (data[cap / 32].effective >> cap % 32 & 1) != 0;
}

static void rights(struct doctor *d)
{
	static const struct {
		unsigned cap;
		const char *name, *what;
	} wanted[] = {
		{.cap = CAP_NET_RAW, .name = "CAP_NET_RAW", .what = "no capture and no replay"},
		{.cap = CAP_NET_ADMIN, .name = "CAP_NET_ADMIN", .what = "no promiscuous mode, no XDP"},
		{.cap = CAP_BPF, .name = "CAP_BPF", .what = "no XDP"},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = capable(wanted[i].cap);
		struct doctor_row *r = doctor_add(d, "rights", wanted[i].name,
						  has ? DOCTOR_GOOD : DOCTOR_BAD, "%s",
						  has ? "there" : "missing");
		if (!has)
			doctor_advise(r, "%s without it: run live commands with sudo; offline ones "
					 "need no rights", wanted[i].what);
	}
}

/* Whether the kernel makes sockets of this family for us. */
static void family(struct doctor *d, int domain, const char *name, const char *option)
{
	int fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (err == 0) {
		doctor_add(d, "kernel", name, DOCTOR_GOOD, "works");
	} else if (err == EAFNOSUPPORT) {
		doctor_advise(doctor_add(d, "kernel", name, DOCTOR_BAD, "not in this kernel"),
			      "a kernel with %s has it", option);
	} else {
		doctor_advise(doctor_add(d, "kernel", name, DOCTOR_UNKNOWN, "%s", strerror(err)),
			      "ask again with sudo");
	}
}

static void kernel(struct doctor *d)
{
	struct utsname host;
	char text[64];

	if (uname(&host) == 0)
		doctor_add(d, "kernel", "release", DOCTOR_GOOD, "%.60s %.40s", host.release,
			   host.machine);
	doctor_add(d, "kernel", "processors", DOCTOR_GOOD, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	family(d, AF_PACKET, "AF_PACKET", "CONFIG_PACKET");
	family(d, AF_XDP, "AF_XDP", "CONFIG_XDP_SOCKETS");
	if (!read_line("/proc/sys/net/core/bpf_jit_enable", text, sizeof(text)))
		doctor_add(d, "kernel", "BPF compiler", DOCTOR_UNKNOWN, "not told");
	else if (strcmp(text, "0") == 0)
		doctor_advise(doctor_add(d, "kernel", "BPF compiler", DOCTOR_BAD, "off"),
			      "XDP programs and filters are slow: sysctl net.core.bpf_jit_enable=1");
	else
		doctor_add(d, "kernel", "BPF compiler", DOCTOR_GOOD, "on");
}

static void memory(struct doctor *d)
{
	struct rlimit limit;
	uint64_t total = 0, available = 0, size_kb = 0;
	char line[128];

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		bool enough = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= MEMLOCK_WANTED ||
			      capable(CAP_IPC_LOCK);
		struct doctor_row *r =
			limit.rlim_cur == RLIM_INFINITY
				? doctor_add(d, "memory", "locked", DOCTOR_GOOD, "no limit")
				: doctor_add(d, "memory", "locked", enough ? DOCTOR_GOOD : DOCTOR_NOTE,
					     "%" PRIu64 " KiB", (uint64_t)limit.rlim_cur / 1024);
		if (!enough)
			doctor_advise(r, "AF_XDP keeps its packets in locked memory: ulimit -l unlimited");
	}
	FILE *f = fopen("/proc/meminfo", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		(void)sscanf(line, "HugePages_Total: %" SCNu64, &total);
		(void)sscanf(line, "HugePages_Free: %" SCNu64, &available);
		(void)sscanf(line, "Hugepagesize: %" SCNu64, &size_kb);
	}
	if (f != NULL)
		fclose(f);
	struct doctor_row *r = doctor_add(d, "memory", "hugepages",
					  total > 0 ? DOCTOR_GOOD : DOCTOR_NOTE,
					  "%" PRIu64 " of %" PRIu64 " KiB, %" PRIu64 " free", total,
					  size_kb, available);
	if (total == 0)
		doctor_advise(r, "only DPDK wants them: sysctl vm.nr_hugepages=512");
}

/* Counters that the kernel reads in a few nanoseconds; the others take a microsecond a packet. */
static void clocks(struct doctor *d)
{
	static const char *const quick[] = {"tsc", "arch_sys_counter", "kvm-clock",
					    "hyperv_clocksource_tsc_page", "riscv_clocksource",
					    "timebase"};
	static const char where[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	struct timex tx = {.modes = 0};
	char text[64];
	bool fast = false;

	if (!read_line(where, text, sizeof(text))) {
		doctor_add(d, "clock", "source", DOCTOR_UNKNOWN, "not told");
	} else {
		for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
			fast = fast || strcmp(text, quick[i]) == 0;
		struct doctor_row *r = doctor_add(d, "clock", "source",
						  fast ? DOCTOR_GOOD : DOCTOR_NOTE, "%s", text);
		if (!fast)
			doctor_advise(r, "each packet's time is slow to read, and pacing less exact");
	}
	int state = adjtimex(&tx);
	if (state < 0)
		doctor_add(d, "clock", "synchronised", DOCTOR_UNKNOWN, "not told");
	else if (state == TIME_ERROR || (tx.status & STA_UNSYNC) != 0)
		doctor_advise(doctor_add(d, "clock", "synchronised", DOCTOR_NOTE, "no"),
			      "times of captures taken on several machines do not fit together; "
			      "compare works them out by itself");
	else
		doctor_add(d, "clock", "synchronised", DOCTOR_GOOD, "to about %ld us", tx.maxerror);
}

static void built_with(struct doctor *d)
{
	static const char *const engines[] = {"packet", "xdp", "dpdk"};
	struct library libs[LIBRARIES_N];
	char why[160];

	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		/* A module is an engine only if it can be loaded here. */
		bool has = source_find(engines[i], why, sizeof(why)) != NULL;
		doctor_add(d, "engines", engines[i], has ? DOCTOR_GOOD : DOCTOR_NOTE, "%.120s",
			   has ? "there" : why);
	}
	doctor_add(d, "engines", "seccomp", HAVE_SECCOMP ? DOCTOR_GOOD : DOCTOR_NOTE, "%s",
		   HAVE_SECCOMP ? "built in" : "not built in");
	libraries(libs);
	for (unsigned i = 0; i < LIBRARIES_N; i++) {
		bool has = libs[i].version[0] != '\0';
		doctor_add(d, "libraries", libs[i].name, has ? DOCTOR_GOOD : DOCTOR_NOTE, "%s",
			   has ? libs[i].version : "not built in");
	}
}

void doctor_system(struct doctor *d)
{
	kernel(d);
	rights(d);
	memory(d);
	clocks(d);
	built_with(d);
}
