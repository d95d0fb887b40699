/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/xdp_features.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The netlink family "netdev", Linux 6.3 (Documentation/netlink/specs/netdev.yaml). */
#define FAMILY_NAME       "netdev"
#define CMD_DEV_GET       1
#define ATTR_IFINDEX      1
#define ATTR_XDP_FEATURES 3

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr gen;
	struct nlattr attr;
	char value[16]; /* of the one attribute, padded to 4 */
};

/* Sends one attribute to a family, puts the answer's attribute `wanted` into value. */
static int ask(int fd, uint16_t family, uint8_t cmd, const struct request *proto, uint16_t wanted,
	       void *value, size_t len)
{
	struct request req = *proto;
	uint8_t answer[4096];
	uint16_t attr_len = proto->attr.nla_len;

	req.nl.nlmsg_type = family;
	req.nl.nlmsg_flags = NLM_F_REQUEST;
	req.nl.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(attr_len);
	req.gen.cmd = cmd;
	req.gen.version = 1;
	if (send(fd, &req, req.nl.nlmsg_len, 0) < 0)
		return -errno;
	ssize_t got = recv(fd, answer, sizeof(answer), 0);
	if (got < 0)
		return -errno;

	struct nlmsghdr head;
	if ((size_t)got < sizeof(head))
		return -EPROTO;
	memcpy(&head, answer, sizeof(head));
	if (head.nlmsg_type == NLMSG_ERROR) {
		struct nlmsgerr err = {0};
		if ((size_t)got >= NLMSG_HDRLEN + sizeof(err.error))
			memcpy(&err.error, answer + NLMSG_HDRLEN, sizeof(err.error));
		return err.error < 0 ? err.error : -EPROTO;
	}
	size_t end = head.nlmsg_len < (size_t)got ? head.nlmsg_len : (size_t)got;
	for (size_t at = NLMSG_HDRLEN + GENL_HDRLEN; at + NLA_HDRLEN <= end;) {
		struct nlattr attr;
		memcpy(&attr, answer + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || at + attr.nla_len > end)
			break;
		if ((attr.nla_type & NLA_TYPE_MASK) == wanted && attr.nla_len >= NLA_HDRLEN + len) {
			memcpy(value, answer + at + NLA_HDRLEN, len);
			return 0;
		}
		at += NLA_ALIGN(attr.nla_len);
	}
	return -ENOENT;
}

int xdp_features_get(unsigned ifindex, uint64_t *out)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct timeval patience = {.tv_sec = 1};
	struct request by_name = {.attr = {.nla_len = NLA_HDRLEN + sizeof(FAMILY_NAME),
					   .nla_type = CTRL_ATTR_FAMILY_NAME}};
	struct request by_index = {.attr = {.nla_len = NLA_HDRLEN + sizeof(uint32_t),
					    .nla_type = ATTR_IFINDEX}};
	uint32_t index = ifindex;
	uint16_t family = 0;
	int ret;

	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) != 0) {
		ret = -errno;
		goto out;
	}
	memcpy(by_name.value, FAMILY_NAME, sizeof(FAMILY_NAME));
	ret = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &by_name, CTRL_ATTR_FAMILY_ID, &family,
		  sizeof(family));
	if (ret != 0)
		goto out;
	memcpy(by_index.value, &index, sizeof(index));
	ret = ask(fd, family, CMD_DEV_GET, &by_index, ATTR_XDP_FEATURES, out, sizeof(*out));
out:
	close(fd);
	return ret;
}
