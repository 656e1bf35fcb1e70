/* SPDX-License-Identifier: MIT */
/*
 * cases.h - small programs that use POSIX AIO wrong on purpose, or right
 *
 * A program has many cases, each named on the command line, so that the observer sees one
 * in each process.
 */
#ifndef RTAIO_TEST_CASES_H
#define RTAIO_TEST_CASES_H

#include "../support/support.h"

struct test_case {
	const char *name;
	void (*run)(void);
};

/* A frame of its own, which ends when the function returns. */
#define FRAME static __attribute__((noinline))

/* A pipe, and a read of it that stays in flight until end_read(). */
struct pending {
	int fds[2];
	struct aiocb cb;
	char buf[8];
};

static inline void begin_read(struct pending *pending)
{
	open_pipe(pending->fds);
	submit_read(&pending->cb, pending->fds[0], pending->buf, sizeof(pending->buf), 0);
}

static inline void let_end(struct pending *pending)
{
	write_fully(pending->fds[1], "12345678", 8);
}

static inline void end_read(struct pending *pending)
{
	let_end(pending);
	check_equal(await_result(&pending->cb), 8);
	close_pair(pending->fds);
}

/* Wait without a call of AIO: by a signal that the request sends. */
#define END_SIGNAL SIGUSR1

static inline void ask_for_signal(struct aiocb *cb)
{
	change_mask(SIG_BLOCK, END_SIGNAL);
	notify_by_signal(&cb->aio_sigevent, END_SIGNAL, 0);
}

static inline void await_signal(void)
{
	struct timespec limit = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, END_SIGNAL);
	check_equal(sigtimedwait(&set, NULL, &limit), END_SIGNAL);
}

/* What has ended lately does not count, nor does a callback that has not blocked for long. */
static inline void outlast_patience(void)
{
	uint64_t begin = now_ns();

	while (now_ns() - begin < 150 * UINT64_C(1000000))
		short_pause();
}

static inline int run_case(const struct test_case *cases, size_t nr, int argc, char **argv)
{
	support_is_child = true; /* a check that fails ends the process */
	for (size_t i = 0; i < nr; i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
		if (argc == 1)
			puts(cases[i].name);
	}
	return argc == 1 ? 0 : 2;
}

#endif
