// SPDX-License-Identifier: MIT
/*
 * entry.c - helpers for the files that export functions.
 */
#include "api/entry.h"

#include <signal.h>
#include <stdint.h>

#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "request/aiocb.h"

#define PRIO_DELTA_MAX 20 /* sysconf(_SC_AIO_PRIO_DELTA_MAX) */

bool entry_check_priority(struct aiocb *cb)
{
	if (cb->aio_reqprio >= 0 && cb->aio_reqprio <= PRIO_DELTA_MAX)
		return true;
	aiocb_reject(cb, EINVAL, -1);
	return false;
}

int entry_fail(int err)
{
	errno = err;
	return -1;
}

int entry_refuse(struct aiocb *cb, int err)
{
	aiocb_reject(cb, err, 0);
	return entry_fail(err);
}

/* The kernel's struct sigaction: handler and flags come first on x86-64, aarch64 and riscv64. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	uint64_t rest[4];
};

/* A handler that serves once (SA_RESETHAND) leaves its flags behind. */
static bool may_have_run(const struct kernel_sigaction *action, uint64_t blocked, int signo)
{
	bool is_handled = action->handler != SIG_DFL && action->handler != SIG_IGN;

	return (is_handled || action->flags & SA_RESETHAND) && !(blocked >> (signo - 1) & 1);
}

int entry_restart(int ret)
{
	enum { SIGNAL_MAX = 64, KERNEL_SIGSET_BYTES = 8, LIBC_CANCEL = 32, LIBC_SETXID = 33 };
	uint64_t blocked;

	/* If a handler forked and this is the child, it has no request to wait for. */
	if (ret != -EINTR || !process_is_ready())
		return ret;
	blocked = signals_blocked();
	for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
		struct kernel_sigaction action = { .handler = SIG_DFL };

		if (signo == LIBC_CANCEL || signo == LIBC_SETXID)
			continue; /* libc's own handlers never end a wait */
		RAW_SYSCALL(SYS_rt_sigaction, signo, NULL, &action, KERNEL_SIGSET_BYTES);
		if (may_have_run(&action, blocked, signo) && !(action.flags & SA_RESTART))
			return -EINTR;
	}
	return 0;
}
