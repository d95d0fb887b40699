/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#if HAVE_SECCOMP
#include <seccomp.h>
#endif

static bool is_number(const char *text, unsigned long *out)
{
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return *end == '\0' && errno == 0 && *out < UINT32_MAX;
}

static void take(struct privileges *p, const struct passwd *pw)
{
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	snprintf(p->name, sizeof(p->name), "%s", pw->pw_name);
}

int privileges_choose(struct privileges *p, const char *user, char *why, size_t len)
{
	unsigned long uid, gid;

	*p = (struct privileges){.change = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
	if (!p->change) {
		if (user == NULL)
			return 0;
		snprintf(why, len, "-Z: only root can become somebody else");
		return -EPERM;
	}
	if (user == NULL && is_number(getenv("SUDO_UID"), &uid) &&
	    is_number(getenv("SUDO_GID"), &gid) && uid != 0) {
		p->uid = (uid_t)uid;
		p->gid = (gid_t)gid;
		snprintf(p->name, sizeof(p->name), "user %lu, who called sudo", uid);
		return 0;
	}
	const struct passwd *pw = getpwnam(user != NULL ? user : "nobody");
	if (pw == NULL) {
		snprintf(why, len, "-Z: there is no user '%.60s'", user != NULL ? user : "nobody");
		return -ENOENT;
	}
	take(p, pw);
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capset, &head, none) == 0 ? 0 : -errno;
}

#if HAVE_SECCOMP
/* No list of what is needed: that depends on libraries. What this process surely never does. */
static const int refused[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(socketpair),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(capset),
};

static int drop_calls(void)
{
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int err = ctx == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && err == 0; i++)
		err = seccomp_rule_add(ctx, no, refused[i], 0);
	/* Threads share memory, processes do not. What clone3 asks for cannot be seen: it is not there. */
	if (err == 0)
		err = seccomp_rule_add(ctx, no, SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_VM, 0));
	if (err == 0)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* Without an address it wakes an AF_XDP socket; with one it would reach somebody. */
	if (err == 0)
		err = seccomp_rule_add(ctx, no, SCMP_SYS(sendto), 1, SCMP_A4(SCMP_CMP_NE, 0));
	/* Libraries may have threads by now. */
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	/* A kernel without it, or a sandbox that forbids it: the rest holds all the same. */
	return err == -EINVAL || err == -ECANCELED || err == -EOPNOTSUPP ? 0 : err;
}
#else
static int drop_calls(void)
{
	return 0;
}
#endif

int privileges_drop(const struct privileges *p, char *why, size_t len)
{
	const char *step = "no_new_privs";
	int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;

	/* Until the kernel's last capability; who may not lower the bound cannot rise to it. */
	for (unsigned long cap = 0; err == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (err == 0 && p->change) {
		step = p->name;
		if (setgroups(0, NULL) != 0 || setresgid(p->gid, p->gid, p->gid) != 0 ||
		    setresuid(p->uid, p->uid, p->uid) != 0)
			err = -errno;
	}
	if (err == 0) {
		step = "capabilities";
		err = drop_capabilities();
	}
	/* Believed only once seen. */
	if (err == 0 && p->change && p->uid != 0 && (setresuid(0, 0, 0) == 0 || geteuid() == 0))
		err = -EPERM;
	if (err == 0) {
		step = "seccomp";
		err = drop_calls();
	}
	if (err != 0)
		snprintf(why, len, "giving up privileges: %s: %s", step, strerror(-err));
	return err;
}
