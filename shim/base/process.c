// SPDX-License-Identifier: MIT
/*
 * process.c - first use, and the child of a fork.
 *
 * Several threads may find PROCESS_NEW at once, in the first process or in a child.  One wins
 * the compare-and-swap and starts, the others wait on the word.  Signals are blocked
 * meanwhile, so that a handler cannot wait for the thread that it interrupted.
 */
#include "base/process.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"

_Atomic uint32_t process_never_used;
_Atomic(_Atomic uint32_t *) process_word = &process_never_used;
_Atomic uint32_t process_generation;
_Atomic int process_pid;

/* At the first use in this program.  Threads that lose the race unmap theirs. */
static int map_page(void)
{
	const size_t size = sizeof(*process_word); /* the kernel rounds up to a page */
	_Atomic uint32_t *expected = &process_never_used;
	long page = RAW_SYSCALL(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (raw_is_error(page))
		return -ENOMEM;
	RAW_SYSCALL(SYS_madvise, page, size, MADV_WIPEONFORK);
	if (!atomic_compare_exchange_strong(&process_word, &expected, (_Atomic uint32_t *)page))
		RAW_SYSCALL(SYS_munmap, page, size);
	return 0;
}

static void become_ready(_Atomic uint32_t *word, void (*start)(bool is_child))
{
	static _Atomic bool has_started; /* survives fork: tells a child from the first use */
	uint32_t seen = PROCESS_NEW;

	if (atomic_compare_exchange_strong(word, &seen, PROCESS_STARTING)) {
		bool is_child = atomic_exchange(&has_started, true);

		if (is_child)
			atomic_fetch_add(&process_generation, 1);
		atomic_store(&process_pid, (int)RAW_SYSCALL(SYS_getpid));
		start(is_child);
		atomic_store(word, PROCESS_READY);
		futex_wake(word, INT_MAX);
		return;
	}
	while (atomic_load(word) == PROCESS_STARTING)
		futex_wait(word, PROCESS_STARTING, NULL);
}

int process_start(void (*start)(bool is_child))
{
	int saved_errno = errno, ret = 0;
	uint64_t old = signals_block(ALL_BUT_LIBC);

	if (atomic_load(&process_word) == &process_never_used)
		ret = map_page();
	if (ret == 0)
		become_ready(atomic_load(&process_word), start);
	signals_set(old);
	errno = saved_errno;
	return ret;
}

/*
 * For sandboxes and emulators without MADV_WIPEONFORK.  Where the page was wiped, an earlier
 * fork handler may have used AIO in the child, which must not be reset again.
 */
static void begin_anew(void)
{
	_Atomic uint32_t *word = atomic_load(&process_word);

	if (atomic_load(word) != PROCESS_NEW &&
	    atomic_load(&process_pid) != (int)RAW_SYSCALL(SYS_getpid))
		atomic_store(word, PROCESS_NEW);
}

/* pthread_atfork() calls it, but would need the compiler's start files. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso);

void process_at_fork(void (*child)(void))
{
	__register_atfork(NULL, NULL, child, NULL);
}

__attribute__((constructor)) static void at_load(void)
{
	process_at_fork(begin_anew);
}
