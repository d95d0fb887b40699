/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/interface.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/packet.h"

static int ask(int fd, const char *name, unsigned long request, struct ifreq *ifr)
{
	memset(ifr->ifr_name, 0, sizeof(ifr->ifr_name));
	strncpy(ifr->ifr_name, name, sizeof(ifr->ifr_name) - 1);
	return ioctl(fd, request, ifr) == 0 ? 0 : -errno;
}

static int ask_ethtool(int fd, const char *name, void *request)
{
	struct ifreq ifr = {.ifr_data = request};

	return ask(fd, name, SIOCETHTOOL, &ifr);
}

static uint32_t linktype_of(unsigned short hardware)
{
	switch (hardware) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINKTYPE_ETHERNET;
	case ARPHRD_NONE: /* tun */
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_PPP: /* a packet socket hands out what is inside */
		return LINKTYPE_RAW;
	default:
		return UINT32_MAX;
	}
}

/* Kernel's table of IPv4 routes: name, destination, gateway, flags, …, mask (8th), in hex. */
static bool default_route_v4(const char *name, const char **untold)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], iface[64];
	unsigned long dest, mask;
	bool found = false;

	if (f == NULL) {
		*untold = "its routes (/proc/net/route cannot be read)";
		return false;
	}
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%63s %lx %*x %*x %*d %*d %*d %lx", iface, &dest, &mask) == 3 &&
			dest == 0 && mask == 0 && strcmp(iface, name) == 0;
	fclose(f);
	return found;
}

/* Destination, its prefix length, …, flags (9th), interface; reject routes sit on lo. */
static bool default_route_v6(const char *name, const char **untold)
{
	FILE *f = fopen("/proc/net/ipv6_route", "re");
	char line[256], dest[33], iface[64];
	unsigned prefix;
	bool found = false;

	/* A kernel without IPv6 has no such file. */
	if (f == NULL && errno != ENOENT)
		*untold = "its routes (/proc/net/ipv6_route cannot be read)";
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %63s", dest, &prefix,
			       iface) == 3 &&
			prefix == 0 && strcmp(iface, name) == 0 && strcmp(iface, "lo") != 0;
	fclose(f);
	return found;
}

static void addresses_of(struct interface *out)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0) {
		out->untold = "its addresses";
		return;
	}
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL || strcmp(a->ifa_name, out->name) != 0)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			out->addresses++;
		if (a->ifa_addr->sa_family != AF_INET6)
			continue;
		struct sockaddr_in6 v6;
		memcpy(&v6, a->ifa_addr, sizeof(v6));
		out->addresses += !IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
	}
	freeifaddrs(all);
}

/* RTM_GETLINK's IFLA_MASTER; no ioctl has it, and sysfs may show another namespace's devices. */
static unsigned master_of(unsigned index, const char **untold)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} request = {
		.head = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST},
		.info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};
	char answer[16384];
	unsigned master = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	*untold = "whether it is a port of a bridge or bond";
	if (fd < 0)
		return 0;
	ssize_t n = send(fd, &request, sizeof(request), 0);
	if (n >= 0)
		n = recv(fd, answer, sizeof(answer), 0);
	close(fd);
	struct nlmsghdr head;
	struct rtattr a;
	if (n < (ssize_t)sizeof(head))
		return 0;
	memcpy(&head, answer, sizeof(head));
	if (head.nlmsg_type != RTM_NEWLINK)
		return 0;
	*untold = NULL;
	size_t end = head.nlmsg_len < (size_t)n ? head.nlmsg_len : (size_t)n;
	for (size_t at = NLMSG_SPACE(sizeof(struct ifinfomsg)); at + sizeof(a) <= end;
	     at += RTA_ALIGN(a.rta_len)) {
		memcpy(&a, answer + at, sizeof(a));
		if (a.rta_len < sizeof(a))
			break;
		if (a.rta_type == IFLA_MASTER && at + RTA_SPACE(sizeof(master)) <= end)
			memcpy(&master, answer + at + RTA_LENGTH(0), sizeof(master));
	}
	return master;
}

static unsigned count_queues(const char *name, const char *begin)
{
	char path[64 + IFNAMSIZ];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	DIR *d = opendir(path);
	if (d == NULL)
		return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strncmp(e->d_name, begin, strlen(begin)) == 0;
	closedir(d);
	return n;
}

/* The device's own word first: sysfs may show another namespace's devices. */
static void queues_of(int fd, struct interface *i)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};

	if (ask_ethtool(fd, i->name, &ch) == 0) {
		i->rx_queues = ch.rx_count + ch.combined_count;
		i->tx_queues = ch.tx_count + ch.combined_count;
	}
	if (i->rx_queues == 0)
		i->rx_queues = count_queues(i->name, "rx-");
	if (i->tx_queues == 0)
		i->tx_queues = count_queues(i->name, "tx-");
	if (i->rx_queues == 0)
		i->rx_queues = 1;
	if (i->tx_queues == 0)
		i->tx_queues = 1;
}

int interface_get(const char *name, struct interface *out)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr;

	memset(out, 0, sizeof(*out));
	if (strlen(name) >= sizeof(out->name))
		return -ENODEV;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strncpy(out->name, name, sizeof(out->name) - 1);
	int err = ask(fd, name, SIOCGIFINDEX, &ifr);
	if (err != 0)
		goto out;
	out->index = (unsigned)ifr.ifr_ifindex;
	out->linktype = UINT32_MAX;
	if (ask(fd, name, SIOCGIFHWADDR, &ifr) == 0) {
		out->linktype = linktype_of(ifr.ifr_hwaddr.sa_family);
		memcpy(out->mac, ifr.ifr_hwaddr.sa_data, sizeof(out->mac));
	}
	if (ask(fd, name, SIOCGIFMTU, &ifr) == 0)
		out->mtu = (unsigned)ifr.ifr_mtu;
	if (ask(fd, name, SIOCGIFFLAGS, &ifr) == 0) {
		out->up = (ifr.ifr_flags & IFF_UP) != 0;
		out->loopback = (ifr.ifr_flags & IFF_LOOPBACK) != 0;
	}
	if (ask_ethtool(fd, name, &driver) == 0)
		memcpy(out->driver, driver.driver, sizeof(out->driver) - 1);
	queues_of(fd, out);
	const char *untold = NULL;
	out->master = master_of(out->index, &out->untold);
	out->default_route = default_route_v4(name, &untold) || default_route_v6(name, &untold);
	out->untold = untold != NULL ? untold : out->untold;
	addresses_of(out);
out:
	close(fd);
	return err;
}

static const char *in_use(const struct interface *i, unsigned depth)
{
	static _Thread_local char why[160];
	char name[IFNAMSIZ];
	struct interface master;

	if (i->default_route)
		snprintf(why, sizeof(why), "%s carries this machine's default route", i->name);
	else if (i->addresses > 0)
		snprintf(why, sizeof(why), "%s has %u address%s of this machine", i->name,
			 i->addresses, i->addresses == 1 ? "" : "es");
	else if (depth > 0 && i->master != 0 && if_indextoname(i->master, name) != NULL &&
		 interface_get(name, &master) == 0 && in_use(&master, depth - 1) != NULL)
		snprintf(why, sizeof(why), "%s is a port of %s, which is in use by this machine",
			 i->name, name);
	else if (i->untold != NULL)
		snprintf(why, sizeof(why), "%s may be in use by this machine: the kernel does not say %s",
			 i->name, i->untold);
	else
		return NULL;
	return why;
}

const char *interface_in_use(const struct interface *i)
{
	return in_use(i, 3); /* a bond in a bridge, and one to spare */
}

/* A line "name: 8 numbers of what came, 8 of what went", those of what went in the same order. */
struct interface_traffic interface_traffic(const char *name)
{
	struct interface_traffic t = {.tx_packets = 0};
	unsigned long long packets, errors, dropped;
	char line[512];
	FILE *f = fopen("/proc/net/dev", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *at = line + strspn(line, " ");
		size_t n = strlen(name);
		if (strncmp(at, name, n) != 0 || at[n] != ':')
			continue;
		if (sscanf(at + n + 1,
			   "%*u %*u %*u %*u %*u %*u %*u %*u %*u %llu %llu %llu",
			   &packets, &errors, &dropped) == 3)
			t = (struct interface_traffic){packets, errors, dropped};
	}
	if (f != NULL)
		fclose(f);
	return t;
}

/* Watching */

struct interface_watch {
	int fd;
	unsigned index;
};

int interface_watch_new(struct interface_watch **out, const struct interface *i)
{
	struct interface_watch *w = malloc(sizeof(*w));

	*out = NULL;
	if (w == NULL)
		return -ENOMEM;
	w->index = i->index;
	w->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (w->fd < 0) {
		int err = -errno;
		free(w);
		return err;
	}
	*out = w;
	return 0;
}

int interface_watch_state(const struct interface_watch *w)
{
	struct ifreq ifr = {.ifr_ifindex = (int)w->index};

	/* By index, since the name may be another's by now. */
	if (ioctl(w->fd, SIOCGIFNAME, &ifr) != 0)
		return -errno;
	if (ioctl(w->fd, SIOCGIFFLAGS, &ifr) != 0)
		return -errno;
	return (ifr.ifr_flags & IFF_UP) != 0 ? 0 : -ENETDOWN;
}

void interface_watch_free(struct interface_watch *w)
{
	if (w != NULL)
		close(w->fd);
	free(w);
}
