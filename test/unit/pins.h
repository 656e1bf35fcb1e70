/* SPDX-License-Identifier: MIT */
/*
 * pins.h - what test_pin and test_keeper do in the place of the engine thread
 */
#ifndef RTAIO_TEST_PINS_H
#define RTAIO_TEST_PINS_H

#include "support.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/config.h"
#include "base/valgrind.h"
#include "dispatch/keeper.h"
#include "engine/engine.h"
#include "engine/workers.h"

#define SHORT_NS 20000000u    /* idle time of helpers that are to leave */
#define LONG_NS  60000000000u /* and of those that are to stay */

#define PATIENCE_MS 2000 /* with the keeper */

static sem_t executed;

/* In the place of engine.c. */
struct inbox engine_inbox = INBOX_INIT;

/* In the place of workers.c. */
void workers_report(struct request *req)
{
	(void)req;
	sem_post(&executed);
}

/* As the engine is: with all signals blocked. */
static inline void become_engine(uint64_t idle_ns)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sem_init(&executed, 0, 0);
	atomic_store(&config.idle_ns, idle_ns);
	keeper_after_fork(); /* it may be the child of a fork */
	pin_after_fork();
}

static inline pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static inline bool begins_with(const char *path, const char *wanted)
{
	FILE *file = fopen(path, "r");
	char text[32] = "";
	bool begins = file && fgets(text, sizeof(text), file) &&
		      strncmp(text, wanted, strlen(wanted)) == 0;

	if (file)
		fclose(file);
	return begins;
}

/*
 * The threads whose names begin like this, and the last of them.  A sanitizer
 * has threads, too.
 */
static inline unsigned int nr_threads_named(const char *wanted, pid_t *last)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int nr = 0;

	check(dir != NULL);
	while ((entry = readdir(dir))) {
		char path[300];

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		if (!begins_with(path, wanted))
			continue;
		nr++;
		if (last)
			*last = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	return nr;
}

/* All threads of the library's leave, and with them what they held. */
static inline int tear_down(void **state)
{
	(void)state;
	atomic_store(&config.idle_ns, SHORT_NS);
	/* It may have gone to sleep for longer. */
	keeper_call_state(own_tid(), 0);
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	return 0;
}

/*
 * Ask the kernel, not the library: a fault of the library must not look like a limit of the kernel.
 */
static inline bool can_take_over(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, STDIN_FILENO, 0);

	close(fd);
	close(pidfd);
	return fd >= 0 && syscall(SYS_close_range, ~0u, ~0u, 0) == 0 && !valgrind_is_here();
}

/* On a busy machine the keeper may take longer than the engine waits for an answer: ask again. */
static inline struct pin *pin_or_skip(int fd)
{
	struct pin *pin;

	if (!support_is_child && !can_take_over())
		skip_because("this kernel or sandbox lets no thread take files over");
	check(becomes_true((pin = keeper_pin(fd)) != NULL, PATIENCE_MS));
	return pin;
}

static inline enum call_state call_state_of(pid_t tid, int fd)
{
	enum call_state state;

	return becomes_true((state = keeper_call_state(tid, fd)) != CALL_UNKNOWN, PATIENCE_MS)
		       ? state
		       : CALL_UNKNOWN;
}

static inline void make_request(struct request *req, enum request_op op, void *buf, size_t nbytes)
{
	memset(req, 0, sizeof(*req));
	req->op = (uint8_t)op;
	req->buf = buf;
	req->nbytes = nbytes;
	req->fd = -1; /* of no use to anybody once it is closed */
}

static inline ssize_t perform_on(struct pin *pin, enum request_op op, void *buf, size_t nbytes)
{
	static struct request req;

	make_request(&req, op, buf, nbytes);
	pin_submit(pin, &req);
	await_semaphore(&executed);
	return req.res;
}

/* The end of a new pipe that is written to, which only the pin holds; fds[0] is the other end. */
static inline struct pin *pin_new_pipe(int fds[2])
{
	struct pin *pin;

	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	close(fds[1]);
	return pin;
}

static inline void pass_byte(struct pin *pin, int reader)
{
	check_equal(perform_on(pin, OP_WRITE, "x", 1), 1);
	read_fully(reader, NULL, 1);
}

/* Does the other end of a pipe see its end? */
static inline bool is_at_end(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&entry, 1, 0) == 1 && read(fd, &byte, 1) == 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

#endif
