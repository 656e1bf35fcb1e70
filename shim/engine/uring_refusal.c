// SPDX-License-Identifier: MIT
/*
 * uring_refusal.c - the reason why io_uring cannot be used, and the remedy.
 *
 * The kernel says EPERM for a seccomp filter and for a sysctl.  A process can see whether it has a
 * filter, but not what the filter forbids.  We do not read the sysctl: that takes a descriptor,
 * which the program might notice.
 */
#include "engine/uring_refusal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "base/raw_syscall.h"
#include "base/valgrind.h"

#define ALLOW_CALLS "allow io_uring_setup, io_uring_enter and io_uring_register"
#define TRIES_AGAIN "nothing: rtaio tries again when its engine next starts"
#define NEWER       "use Linux 5.7 or newer, and no sandbox that emulates a kernel"

static const struct {
	int err;
	struct uring_refusal refusal;
} refusals[] = {
	{ EPERM,
	  { "a seccomp filter (container profile) forbids it, or sysctl kernel.io_uring_disabled",
	    ALLOW_CALLS " in the profile, and sysctl -w kernel.io_uring_disabled=0" } },
	{ EACCES,
	  { "a security module or a seccomp filter forbids it",
	    ALLOW_CALLS " in the policy of the sandbox" } },
	{ ENOSYS,
	  { "the kernel has no io_uring or one older than Linux 5.7, or a sandbox hides it",
	    "use a newer kernel, or " ALLOW_CALLS " in the sandbox" } },
	{ EOPNOTSUPP, { "the kernel or a sandbox has only a part of io_uring", NEWER } },
	{ EINVAL,
	  { "the kernel or a sandbox knows none of the kinds of rings that rtaio makes", NEWER } },
	{ ENOMEM,
	  { "memory is short: locked memory, which the rings of all processes of the user share, "
	    "or that of the control group",
	    "raise ulimit -l (256 KiB are enough), or the memory limit of the control group" } },
	{ EMFILE, { "the process has no descriptor free", "raise ulimit -n" } },
	{ ENFILE, { "the system has no open file free", "raise sysctl fs.file-max" } },
	{ EAGAIN, { "the kernel is short of resources now", TRIES_AGAIN } },
	{ EBUSY, { "the kernel is busy now", TRIES_AGAIN } },
	{ EFAULT, { "the kernel or a sandbox does not accept memory for a ring", NEWER } },
};

static const struct uring_refusal by_sysctl = {
	"sysctl kernel.io_uring_disabled forbids it",
	"sysctl -w kernel.io_uring_disabled=0; if it is 1, a group may be let in by "
	"kernel.io_uring_group",
};

static const struct uring_refusal by_valgrind = {
	"valgrind cannot look into it",
	"nothing: worker threads serve under valgrind",
};

static const struct uring_refusal unknown = {
	"rtaio does not know this error of io_uring",
	"please report it, with the kernel and the container or sandbox",
};

struct uring_refusal uring_refusal(int err)
{
	if (valgrind_is_here())
		return by_valgrind;
	if (err == EPERM && RAW_SYSCALL(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		return by_sysctl;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].err == err)
			return refusals[i].refusal;
	return unknown;
}
