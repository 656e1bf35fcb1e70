// SPDX-License-Identifier: MIT
/*
 * slept.c - count the submitting calls in which the calling thread slept
 *
 * LD_PRELOAD="slept.so librtaio.so" PROGRAM
 *
 * A thread sleeps in a call if the kernel counts a voluntary context switch
 * meanwhile.  Each process prints a line "slept: N of N" to standard error
 * when it ends.  A list with LIO_WAIT is no submitting call: it is to sleep.
 *
 * A library, so that it serves programs that are not ours, and costs nothing
 * in runs whose speed counts.
 */
#include <aio.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static atomic_ulong nr_calls, nr_slept;

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static void count(long before)
{
	atomic_fetch_add(&nr_calls, 1);
	if (switches() != before)
		atomic_fetch_add(&nr_slept, 1);
}

/* The next definition of @name after this library's, as @call, which has its type. */
#define FIND_NEXT(call, name)                          \
	do {                                           \
		void *found = dlsym(RTLD_NEXT, name);  \
		memcpy(&(call), &found, sizeof(call)); \
	} while (0)

#define COUNTED_REQUEST(name, type)                \
	int name(struct type *cb)                  \
	{                                          \
		static int (*next)(struct type *); \
		long before = switches();          \
		int ret;                           \
                                                   \
		if (!next)                         \
			FIND_NEXT(next, #name);    \
		ret = next(cb);                    \
		count(before);                     \
		return ret;                        \
	}

#define COUNTED_SYNC(name, type)                        \
	int name(int op, struct type *cb)               \
	{                                               \
		static int (*next)(int, struct type *); \
		long before = switches();               \
		int ret;                                \
                                                        \
		if (!next)                              \
			FIND_NEXT(next, #name);         \
		ret = next(op, cb);                     \
		count(before);                          \
		return ret;                             \
	}

#define COUNTED_LIST(name, type)                                                       \
	int name(int mode, struct type *const list[], int nr, struct sigevent *event)  \
	{                                                                              \
		static int (*next)(int, struct type *const[], int, struct sigevent *); \
		long before = switches();                                              \
		int ret;                                                               \
                                                                                       \
		if (!next)                                                             \
			FIND_NEXT(next, #name);                                        \
		ret = next(mode, list, nr, event);                                     \
		if (mode == LIO_NOWAIT)                                                \
			count(before);                                                 \
		return ret;                                                            \
	}

COUNTED_REQUEST(aio_read, aiocb)
COUNTED_REQUEST(aio_write, aiocb)
COUNTED_SYNC(aio_fsync, aiocb)
COUNTED_LIST(lio_listio, aiocb)
COUNTED_REQUEST(aio_read64, aiocb64)
COUNTED_REQUEST(aio_write64, aiocb64)
COUNTED_SYNC(aio_fsync64, aiocb64)
COUNTED_LIST(lio_listio64, aiocb64)

__attribute__((destructor)) static void report(void)
{
	unsigned long calls = atomic_exchange(&nr_calls, 0);

	if (calls > 0)
		fprintf(stderr, "slept: %lu of %lu\n", atomic_exchange(&nr_slept, 0), calls);
}

/* fio's jobs are processes that end so. */
__attribute__((noreturn)) void _exit(int status)
{
	void (*next)(int);

	report();
	FIND_NEXT(next, "_exit");
	next(status);
	__builtin_unreachable();
}
