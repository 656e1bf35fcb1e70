/* SPDX-License-Identifier: MIT */
/*
 * support.h - what the test programs share
 *
 * Temporary files, blocking pipes and sockets, a signal catcher, deadlines,
 * control blocks filled with garbage, and a way to run in a forked child
 * whatever may crash or hang.  It knows only the public interface <aio.h>:
 * the same binary runs on glibc and with the library preloaded.
 *
 * Two rules.  Nothing waits without a deadline: a wait that ends without its
 * event fails the test with a message.  Assertions in a forked child are the
 * check macros below, never those of cmocka, which jump back into the copy of
 * the test runner; the check macros work in both places.
 */
#ifndef RTAIO_TEST_SUPPORT_H
#define RTAIO_TEST_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "older_libc.h"

/*
 * The value of RTAIO_TEST_IMPLEMENTATION: glibc, auto, io_uring, libaio or
 * threads; "unknown" if unset.  For messages only: no test may depend on it.
 */
const char *implementation(void);

/*
 * Run a program's tests, and know at any time which one.  They have no fixtures
 * of their own: the one of each test is taken for that.  With RTAIO_TEST_LIST set
 * print their names instead.
 */
int support_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr);

/* Set in a forked child, which reports by its output and its exit status. */
extern bool support_is_child;

/* Report leaks now, if LeakSanitizer is in use: it reports by itself at exit(), not at _exit(). */
void support_check_leaks(void);

#undef cmocka_run_group_tests
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
	support_run_tests((name), (tests), sizeof(tests) / sizeof(*(tests)))
#define cmocka_run_group_tests(tests, setup, teardown) \
	cmocka_run_group_tests_name(#tests, tests, setup, teardown)

/* ---- checks: usable in the test program and in a forked child ---- */

/*
 * Fail unless the condition holds, with errno and the source line.  In a child
 * made by in_child() this ends the child, on a thread other than the main
 * thread it aborts the program.
 */
#define check(cond)                                                    \
	do {                                                           \
		if (!(cond))                                           \
			support_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* Compare integers of any type up to 64 bits and show both. */
#define check_equal(actual, expected)                                                             \
	support_check_equal((long long)(actual), (long long)(expected), #actual " == " #expected, \
			    __FILE__, __LINE__)

/* Compare memory. */
#define check_memory(actual, expected, size) check(memcmp((actual), (expected), (size)) == 0)

/* Fail with a message in the manner of printf. */
#define check_failed(...) support_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Skip a test; the reason is printed.  Not in a child. */
#define skip_because(...)                                 \
	do {                                              \
		print_message("# skipped: " __VA_ARGS__); \
		print_message("\n");                      \
		skip();                                   \
	} while (0)

_Noreturn void support_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void support_check_equal(long long actual, long long expected, const char *text, const char *file,
			 int line);

/* ---- deadlines ---- */

/*
 * How long any one wait may take: 10000, or what the program has chosen.  Where
 * RTAIO_TEST_DEADLINE_MS gives another value for the 10000, every limit is stretched
 * alike if that is more, and waits are shortened if it is less.  A test that
 * RTAIO_TEST_XFAIL names is expected to fail, often by a wait that never ends: its
 * waits, and its children, get a second.
 */
unsigned int default_deadline_ms(void);

/* A program, or a child, that waits longer or shorter than the others chooses. */
void choose_default_deadline(unsigned int ms);

/* Any other limit, for the machine at hand: a slow one gets more. */
unsigned int stretched_ms(unsigned int ms);
uint64_t stretched_ns(uint64_t ns);

/* The same for a wait: shorter in a test that is expected to fail. */
unsigned int support_limit_deadline(unsigned int ms);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* Let other threads run for a moment: the pause of a polling loop. */
void short_pause(void);

/* True as soon as the condition is, false if it is not within ms. */
#define becomes_true(cond, ms)                                       \
	__extension__({                                              \
		uint64_t until_ = now_ns() + (uint64_t)(ms)*1000000; \
		bool seen_;                                          \
		while (!(seen_ = (cond)) && now_ns() < until_)       \
			short_pause();                               \
		seen_ || (cond);                                     \
	})

/* Fail unless the condition becomes true before the default deadline. */
#define eventually(cond)                                                                        \
	do {                                                                                    \
		if (!becomes_true(cond, default_deadline_ms()))                                 \
			support_fail(__FILE__, __LINE__, "not before the deadline: %s", #cond); \
	} while (0)

/*
 * True if a thread of this process is asleep in the kernel.  For sequencing
 * only ("signal it once it waits"): the result may be stale at once.
 */
bool thread_sleeps(pid_t tid);

/* The number of threads of this process. */
unsigned int nr_threads(void);

/* By qemu: the processor stops at any time, and its times are not those of a real one. */
bool is_emulated(void);

/* The memory of this process, in bytes. */
struct memory_use {
	size_t mapped, resident;
};

struct memory_use memory_in_use(void);

/* sem_wait with the default deadline; fails the test when it passes. */
#define await_semaphore(sem) support_await_semaphore((sem), __FILE__, __LINE__)

void support_await_semaphore(sem_t *sem, const char *file, int line);

/* ---- control blocks ---- */

/*
 * Fill the whole block with 0xA5, as garbage left on a stack, then set the
 * public fields: no notification, priority 0.  aio_lio_opcode stays garbage,
 * as aio_read, aio_write and aio_fsync must not look at it.
 */
void aiocb_init(struct aiocb *cb, int fd, void *buf, size_t nbytes, off_t offset);

/* The same for an entry of lio_listio. */
void aiocb_init_lio(struct aiocb *cb, int opcode, int fd, void *buf, size_t nbytes, off_t offset);

/* Ask for a signal with a value, or for a callback. */
void notify_by_signal(struct sigevent *event, int signo, int value);
void notify_by_thread(struct sigevent *event, void (*callback)(union sigval), void *value);

/*
 * Wait for a request with aio_suspend until the default deadline, through
 * signals, and return aio_error, which is then never EINPROGRESS.
 */
#define await(cb) support_await((cb), __FILE__, __LINE__)

/* Wait, check that the request succeeded, and return aio_return. */
#define await_result(cb) support_await_result((cb), __FILE__, __LINE__)

/* Wait, and check that the request failed with this error and -1. */
#define await_failure(cb, error) support_await_failure((cb), (error), __FILE__, __LINE__)

int support_await(struct aiocb *cb, const char *file, int line);
ssize_t support_await_result(struct aiocb *cb, const char *file, int line);
void support_await_failure(struct aiocb *cb, int error, const char *file, int line);

/* Submit, and check that the call was accepted. */
void submit_read(struct aiocb *cb, int fd, void *buf, size_t nbytes, off_t offset);
void submit_write(struct aiocb *cb, int fd, const void *buf, size_t nbytes, off_t offset);

/* The same, and wait for the result. */
ssize_t read_now(int fd, void *buf, size_t nbytes, off_t offset);
ssize_t write_now(int fd, const void *buf, size_t nbytes, off_t offset);

/* A request that was cancelled. */
void check_cancelled(const struct aiocb *cb);

/* Submit a read of 100 bytes, which nobody looks at, with this notification. */
void submit_notified_read(struct aiocb *cb, int fd, const struct sigevent *event);

/* Submit a request, which must be accepted and then fail. */
#define check_read_fails(fd, buf, nbytes, offset, error)            \
	do {                                                        \
		struct aiocb cb_;                                   \
                                                                    \
		submit_read(&cb_, (fd), (buf), (nbytes), (offset)); \
		await_failure(&cb_, (error));                       \
	} while (0)
#define check_write_fails(fd, buf, nbytes, offset, error)            \
	do {                                                         \
		struct aiocb cb_;                                    \
                                                                     \
		submit_write(&cb_, (fd), (buf), (nbytes), (offset)); \
		await_failure(&cb_, (error));                        \
	} while (0)

/* ---- files ---- */

/*
 * A directory of this process, made on first use and removed at exit: below
 * $TMPDIR, else below build/tmp.  direct_dir() is always below build/tmp, so
 * that a $TMPDIR in memory does not hide O_DIRECT.
 */
const char *temp_dir(void);
const char *direct_dir(void);

/* The path of a name in temp_dir(), in a static buffer. */
const char *temp_path(const char *name);

/* A new, empty, already unlinked file, open for reading and writing. */
int temp_file(int extra_flags);

/* The same; skips the test where the file system writes what lies before a far offset. */
int temp_file_with_holes_or_skip(void);

/* The same, holding size bytes of pattern_at(), its position at 0. */
int temp_file_filled(size_t size);

/* The size of the file @fd in bytes. */
off_t file_size(int fd);

/* A new, empty file in memory: nothing depends on the disk. */
int memory_file(void);

/* 4 KiB on x86-64, elsewhere up to 64 KiB. */
static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * An unlinked file in direct_dir() of size bytes of pattern_at(), opened with
 * O_DIRECT; -1 where the file system refuses O_DIRECT.
 */
int direct_file(size_t size, int extra_flags);
int direct_file_or_skip(size_t size, int extra_flags); /* skips the test there */

/* The byte expected at a position of a patterned file. */
unsigned char pattern_at(size_t position);
void pattern_fill(void *buf, size_t position, size_t size);
#define check_pattern(buf, position, size) check(pattern_matches((buf), (position), (size)))
bool pattern_matches(const void *buf, size_t position, size_t size);

/* ---- pipes and sockets ---- */

/* Blocking pairs: [0] is the end to read, [1] the end to write.  A pipe holds 64 KiB. */
void open_pipe(int fds[2]);
void open_socketpair(int fds[2], int type);
void close_pair(int fds[2]);

/* Fill a pipe or stream socket until a write would block; bytes written. */
size_t fill_up(int fd);

/* Read exactly size bytes, buf may be NULL; fails at the deadline or EOF. */
void read_fully(int fd, void *buf, size_t size);

/* Write exactly size bytes with plain write(). */
void write_fully(int fd, const void *buf, size_t size);

/* ---- signals ---- */

/* SIG_BLOCK or SIG_UNBLOCK one signal for this thread. */
void change_mask(int how, int signo);

/* Is the signal pending for this thread or for the process? */
bool is_pending(int signo);

/*
 * Record the siginfo of each delivery of signo, in order, in a handler with
 * SA_SIGINFO and these flags (SA_RESTART, ...).  release_signals() restores
 * what was there before and forgets the records.
 */
#define CAUGHT_MAX 4096
void catch_signal(int signo, int flags);
unsigned int nr_caught(void);
const siginfo_t *caught(unsigned int i);
void release_signals(void);

/* ---- forked children ---- */

enum child_end { CHILD_EXITED, CHILD_KILLED, CHILD_TIMED_OUT };

struct child_result {
	enum child_end end;
	int code;          /* exit status or signal number */
	char output[4096]; /* start of its stdout and stderr */
};

/* The exit status of a child in which a check failed. */
#define CHILD_CHECK_FAILED 97

/*
 * Fork, run the function with default signal handlers and output captured, and
 * _exit with what it returns (0: good).  At the deadline the child and whatever
 * it started are killed with SIGKILL; so is what it leaves behind.
 */
struct child_result in_child(int (*function)(void), unsigned int deadline_ms);
struct child_result in_child_with(int (*function)(void *), void *arg, unsigned int deadline_ms);

/* "exited with status 0", "killed by SIGSEGV", "timed out", static buffer. */
const char *describe_child(const struct child_result *result);

/* Run in a child and fail, showing its output, unless it returns 0. */
#define check_in_child(function, deadline_ms) \
	support_check_child(in_child((function), (deadline_ms)), #function, __FILE__, __LINE__)
void support_check_child(struct child_result result, const char *text, const char *file, int line);

#endif
