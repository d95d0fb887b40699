/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk_env.h"
#include "dataplane/refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#define ARGUMENTS_MAX 48
#define DESCRIPTORS   1024u
#define POOL_CACHE    256u
#define POOL_BYTES    (128u << 20)

/* What DPDK said last: better than an errno, and never to standard output. */
static char last_words[200];

static ssize_t listen_to(void *cookie, const char *text, size_t len)
{
	size_t n = len < sizeof(last_words) ? len : sizeof(last_words) - 1;

	(void)cookie;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	/* A blank line says nothing new. */
	if (n > 0) {
		memcpy(last_words, text, n);
		last_words[n] = '\0';
	}
	return (ssize_t)len;
}

static FILE *words_stream(void)
{
	const cookie_io_functions_t io = {.write = listen_to};
	FILE *f = fopencookie(NULL, "w", io);

	if (f != NULL)
		setvbuf(f, NULL, _IOLBF, 0);
	return f;
}

struct start {
	int argc;
	char *argv[ARGUMENTS_MAX + 1];
	char text[1024];
	int ret, error;
};

static bool add(struct start *s, char *argument)
{
	if (s->argc == ARGUMENTS_MAX)
		return false;
	s->argv[s->argc++] = argument;
	return true;
}

static bool have_hugepages(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	unsigned long pages = 0;

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "HugePages_Free: %lu", &pages) == 1)
			break;
	fclose(f);
	/* Of the usual 2 MiB: what one port with its buffers takes. */
	return pages >= 64;
}

/* The user's own arguments come last, so that they win. */
static bool make_arguments(struct start *s, const struct dpdk_wish *w)
{
	static char program[] = "wmscope", no_telemetry[] = "--no-telemetry", lcores[] = "-l",
		    no_huge[] = "--no-huge", memory[] = "-m", megabytes[] = "256",
		    no_shconf[] = "--no-shconf", in_memory[] = "--in-memory", no_pci[] = "--no-pci",
		    level[] = "--log-level=warning";
	static char cpu[16], prefix[48], vdev[320];
	bool virtual = strncmp(w->device, "net_", 4) == 0, named = strchr(w->device, ',') != NULL;
	bool ok;

	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu() >= 0 ? sched_getcpu() : 0);
	snprintf(prefix, sizeof(prefix), "--file-prefix=wmscope%ld", (long)getpid());
	snprintf(vdev, sizeof(vdev), "--vdev=%s", w->device);
	ok = add(s, program) && add(s, no_telemetry) && add(s, level) && add(s, lcores) &&
	     add(s, cpu) && add(s, prefix);
	if (have_hugepages())
		ok = ok && add(s, in_memory);
	else
		ok = ok && add(s, no_huge) && add(s, memory) && add(s, megabytes) && add(s, no_shconf);
	if (virtual)
		ok = ok && add(s, no_pci);
	if (virtual && named)
		ok = ok && add(s, vdev);
	snprintf(s->text, sizeof(s->text), "%s", w->eal != NULL ? w->eal : "");
	char *save = NULL;
	for (char *word = strtok_r(s->text, " ", &save); word != NULL && ok;
	     word = strtok_r(NULL, " ", &save))
		ok = add(s, word);
	return ok;
}

/* It pins the thread that calls it: one that then ends. A wrong argument makes it print its usage. */
static void *start_eal(void *user)
{
	struct start *s = user;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), was = dup(STDOUT_FILENO);

	fflush(stdout);
	if (nowhere >= 0)
		dup2(nowhere, STDOUT_FILENO);
	FILE *words = words_stream();
	if (words != NULL)
		rte_openlog_stream(words);
	s->ret = rte_eal_init(s->argc, s->argv);
	s->error = rte_errno;
	fflush(stdout);
	if (was >= 0) {
		dup2(was, STDOUT_FILENO);
		close(was);
	}
	if (nowhere >= 0)
		close(nowhere);
	return NULL;
}

static int eal(const struct dpdk_wish *w, char *err, size_t errlen)
{
	static enum { EAL_UNTRIED, EAL_STARTED, EAL_REFUSED } state;
	static struct start s; /* the EAL keeps pointers to its arguments */
	pthread_t thread;

	if (state == EAL_STARTED)
		return 0;
	if (state == EAL_REFUSED)
		return refuse(err, errlen, -EALREADY, "dpdk", "it failed to start before");
	if (!make_arguments(&s, w))
		return refuse(err, errlen, -E2BIG, "dpdk", "too many arguments for the EAL");
	if (pthread_create(&thread, NULL, start_eal, &s) != 0)
		return refuse(err, errlen, -EAGAIN, "dpdk", "no thread could be made");
	pthread_join(thread, NULL);
	state = s.ret < 0 ? EAL_REFUSED : EAL_STARTED;
	if (s.ret < 0)
		return refuse(err, errlen, s.error > 0 ? -s.error : -EIO, "dpdk",
			      last_words[0] != '\0' ? last_words : "the EAL does not start");
	return 0;
}

/* A --vdev of the same name was made with the EAL; another is made now. */
static int find_port(struct dpdk_port *p, const char *device, char *err, size_t errlen)
{
	const char *comma = strchr(device, ',');

	snprintf(p->name, sizeof(p->name), "%.*s",
		 comma != NULL ? (int)(comma - device) : (int)strlen(device), device);
	if (rte_eth_dev_get_port_by_name(p->name, &p->id) == 0)
		return 0;
	if (strncmp(device, "net_", 4) == 0 &&
	    rte_eal_hotplug_add("vdev", p->name, comma != NULL ? comma + 1 : "") == 0 &&
	    rte_eth_dev_get_port_by_name(p->name, &p->id) == 0)
		return 0;
	return refuse(err, errlen, -ENODEV, p->name,
		      "DPDK has no such port: a card must be bound to vfio-pci "
		      "(dpdk-devbind.py), a virtual device is net_NAME0,key=value");
}

static int set_up_queues(struct dpdk_port *p)
{
	int socket = rte_eth_dev_socket_id(p->id), ret = 0;
	uint16_t rx = (uint16_t)p->descriptors, tx = (uint16_t)p->descriptors;

	ret = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);
	if (ret != 0)
		return ret;
	for (uint16_t q = 0; q < p->rx_queues && ret == 0; q++)
		ret = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)socket, NULL, p->pool);
	for (uint16_t q = 0; q < p->tx_queues && ret == 0; q++)
		ret = rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)socket, NULL);
	return ret;
}

static int start_port(struct dpdk_port *p, const struct dpdk_wish *w)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE}};
	char name[RTE_MEMPOOL_NAMESIZE];

	int ret = rte_eth_dev_info_get(p->id, &info);
	if (ret != 0)
		return ret;
	snprintf(p->driver, sizeof(p->driver), "%s", info.driver_name);
	p->rx_queues = RTE_MIN(RTE_MAX(w->rx_queues, 1), info.max_rx_queues);
	p->tx_queues = RTE_MIN(RTE_MAX(w->tx_queues, 1), info.max_tx_queues);
	p->descriptors = DESCRIPTORS;
	/* By addresses only, so that fragments and ICMP of a pair stay together. */
	uint64_t ip = (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_IPV6 |
		       RTE_ETH_RSS_FRAG_IPV6) & info.flow_type_rss_offloads;
	if (p->rx_queues > 1 && ip != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = ip;
	}
	/* Ethernet's 14 bytes and a VLAN tag of 4. Drivers say a limit in one of two ways. */
	uint32_t mtu = w->frame_max > RTE_ETHER_MTU + 18 ? w->frame_max - 18 : RTE_ETHER_MTU;
	mtu = RTE_MIN(mtu, info.max_mtu);
	mtu = RTE_MIN(mtu, RTE_MAX(info.max_rx_pktlen, RTE_ETHER_MTU + 18u) - 18u);
	if (mtu > RTE_ETHER_MTU)
		conf.rxmode.mtu = mtu;
	uint32_t room = RTE_MAX(mtu + 18u + 8u, 2048u) + RTE_PKTMBUF_HEADROOM;
	unsigned n = (p->rx_queues + p->tx_queues) * (p->descriptors + POOL_CACHE) + 8192;
	/* Of big frames there are fewer, so that a port fits into memory without hugepages. */
	room = RTE_MIN(room, UINT16_MAX);
	if (n > POOL_BYTES / room) {
		n = POOL_BYTES / room;
		while (p->descriptors > 64 &&
		       (p->rx_queues + p->tx_queues) * p->descriptors > (int)n / 2)
			p->descriptors /= 2;
	}
	unsigned cache = RTE_MIN(POOL_CACHE, n / 8);
	snprintf(name, sizeof(name), "wmscope%u", p->id);
	p->pool = rte_pktmbuf_pool_create(name, n, cache, 0, (uint16_t)room,
					  rte_eth_dev_socket_id(p->id));
	if (p->pool == NULL)
		return -rte_errno;
	ret = rte_eth_dev_configure(p->id, p->rx_queues, p->tx_queues, &conf);
	if (ret == 0)
		ret = set_up_queues(p);
	if (ret == 0)
		ret = rte_eth_dev_start(p->id);
	/* Not every driver can; one that cannot sees what it sees. */
	if (ret == 0 && !w->only_ours)
		(void)rte_eth_promiscuous_enable(p->id);
	return ret;
}

int dpdk_port_open(struct dpdk_port *p, const struct dpdk_wish *w, char *err, size_t errlen)
{
	memset(p, 0, sizeof(*p));
	if (w->device == NULL)
		return refuse(err, errlen, -EINVAL, "dpdk", "no port is named");
	int ret = eal(w, err, errlen);
	if (ret != 0)
		return ret;
	ret = find_port(p, w->device, err, errlen);
	if (ret != 0)
		return ret;
	last_words[0] = '\0';
	ret = start_port(p, w);
	if (ret != 0) {
		refuse(err, errlen, ret, p->name,
		       last_words[0] != '\0' ? last_words : rte_strerror(-ret));
		dpdk_port_close(p);
	}
	return ret;
}

void dpdk_port_close(struct dpdk_port *p)
{
	(void)rte_eth_dev_stop(p->id);
	(void)rte_eth_dev_close(p->id);
	rte_mempool_free(p->pool);
	p->pool = NULL;
}

bool dpdk_port_up(const struct dpdk_port *p)
{
	struct rte_eth_link link = {.link_status = RTE_ETH_LINK_UP};

	(void)rte_eth_link_get_nowait(p->id, &link);
	return link.link_status == RTE_ETH_LINK_UP;
}

void dpdk_thread(void)
{
	static _Thread_local bool known;

	if (!known && rte_lcore_id() == LCORE_ID_ANY)
		(void)rte_thread_register();
	known = true;
}
