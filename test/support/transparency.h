/* SPDX-License-Identifier: MIT */
/*
 * transparency.h - what the tests in test/transparency share
 *
 * They do what may kill or hang a program, so nearly every one runs in a child
 * of its own, forked from a test program that never used AIO itself.  All
 * functions here may be called in such a child and in its threads.
 */
#ifndef RTAIO_TEST_TRANSPARENCY_H
#define RTAIO_TEST_TRANSPARENCY_H

#include "support.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A test which is one function run in a child; the child returns 0. */
#define TEST_IN_CHILD(test, function, deadline_ms)     \
	static void test(void **state)                 \
	{                                              \
		(void)state;                           \
		check_in_child(function, deadline_ms); \
	}

/* What such a function returns where the machine cannot run the test. */
#define CHILD_SKIPPED 77

/* The same as check_in_child, but CHILD_SKIPPED skips the test. */
void check_or_skip_in_child(int (*function)(void), unsigned int deadline_ms);

/* The same for a child that has ended. */
void support_check_or_skip_child(struct child_result result, const char *text, const char *file,
				 int line);

/*
 * A test which is one function run in a child.  Its argument is a struct plan, which the program
 * defines and the further arguments of the macro initialize.
 */
#define TEST_WITH_PLAN(test, function, deadline_ms, ...)                                        \
	static void test(void **state)                                                          \
	{                                                                                       \
		struct plan plan = { __VA_ARGS__ };                                             \
                                                                                                \
		(void)state;                                                                    \
		support_check_or_skip_child(in_child_with(function, &plan, deadline_ms), #test, \
					    __FILE__, __LINE__);                                \
	}

#define TEST_OR_SKIP(test, function, deadline_ms)              \
	static void test(void **state)                         \
	{                                                      \
		(void)state;                                   \
		check_or_skip_in_child(function, deadline_ms); \
	}

/*
 * The same in a child for each of the rings that Linux 6.7, 6.5, 6.1 and 5.10 have.  The deadline
 * is that of each child.
 */
void check_with_rings(int (*function)(void), unsigned int deadline_ms);

#define TEST_WITH_RINGS(test, function, deadline_ms)     \
	static void test(void **state)                   \
	{                                                \
		(void)state;                             \
		check_with_rings(function, deadline_ms); \
	}

/*
 * The same, skipped unless has() returns true in the child.  If it returns false, it has printed
 * the reason.
 */
#define TEST_WHERE(has, test, function, deadline_ms)           \
	static int function##_or_skip(void)                    \
	{                                                      \
		return (has)() ? (function)() : CHILD_SKIPPED; \
	}                                                      \
	TEST_OR_SKIP(test, function##_or_skip, deadline_ms)

/* Rounds that meet by chance: @nr of them, or fewer where they take more than two seconds. */
bool goes_on(int round, int nr, uint64_t began);

/* Read a byte through a pipe, with a callback on a thread of @attr, or NULL.  It may still run. */
void read_with_callback(void (*callback)(union sigval), pthread_attr_t *attr);

/* Wait for the end of a request: the result of the system call, or -errno. */
#define outcome(cb) support_outcome((cb), __FILE__, __LINE__)
ssize_t support_outcome(struct aiocb *cb, const char *file, int line);

/* A second, independent open file description of the same file. */
int reopen(int fd, int flags);

/* Put out of the page cache what the file has there. */
void evict(int fd);

/* Zeroed memory fit for O_DIRECT. */
void *direct_buffer(size_t size);

/*
 * One small round of every kind of request, each with its result checked: a
 * pipe in both directions; reads, writes, an fsync and a list on a file, from
 * the page cache, from the disk and with O_DIRECT.  It uses descriptors of its
 * own and closes them.
 */
void use_aio(void);

/* A pipe read and write and one cached read, where speed matters. */
void use_aio_briefly(void);

/*
 * Add a library to LD_PRELOAD for the program that is executed next, as the first one or the last
 * one.  @name is its name in the folder of this program.
 */
void preload(const char *name, bool is_first);

/*
 * The path of the program, for execve().  Under valgrind, /proc/self/exe can be read, but its
 * execution would run valgrind.
 */
const char *own_program(void);

/* Wait for a child with a deadline and return its wait status. */
int wait_for_child(pid_t pid);

/* Wait for a child which must end with exit status 0. */
#define check_child(pid) support_check_pid((pid), __FILE__, __LINE__)
void support_check_pid(pid_t pid, const char *file, int line);

/* pthread_create and pthread_join, checked; joining has a deadline. */
pthread_t start_thread(void *(*function)(void *), void *arg);
void join_thread(pthread_t thread);

/* Two threads that call @function over and over, until end_storm(). */
void begin_storm(void (*function)(void));
void end_storm(void);

/* Has this thread of the process ended, so that it can take no signal? */
bool thread_has_ended(pid_t tid);

/*
 * SIGALRM, once.  A handler that winds the timer again when it is done leaves the program time
 * between two signals, however slow the machine is.
 */
void wind_timer(int us);

/* Does every other thread of this process wait for something? */
bool others_are_asleep(void);

/* The same, or is it stuck in the kernel, where no signal reaches it, or gone? */
bool nobody_else_runs(void);

/* The program that is executed next gets the standard descriptors alone. */
void close_others_on_exec(void);

/* Is it Linux @major.@minor or newer? */
bool has_kernel(int major, int minor);

/*
 * The program's own are the descriptors below this number, at most @max: before
 * Linux 6.7 an AIO library on io_uring needs some, and may put them at 1000 and above.
 */
int nr_private_fds(int max);

/* Install a handler of the simple kind. */
void handle_signal(int signo, void (*handler)(int signo), int flags);

/* As setrlimit, of the soft limit alone. */
void set_soft_limit(int resource, rlim_t value);

/* From here on @nr descriptors are allowed.  False, with a message: the hard limit is lower. */
bool allow_descriptors(rlim_t nr);

/* Give up root, if held, for good: become a user id which nothing else uses. */
void become_nobody(void);

#endif
