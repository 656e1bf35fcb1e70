// SPDX-License-Identifier: MIT
/*
 * keeper.c - the keeper: a thread with a descriptor table of its own.
 *
 * close_range() with CLOSE_RANGE_UNSHARE gives the caller an empty table only while its table is
 * shared; otherwise it would close the program's files.  It is shared with the program's threads.
 *
 * The kernel copies at least 64 descriptors before it empties the copy.  So one thread does this
 * once for all pins.  The keeper creates their threads, which share its table.  The table lives
 * as long as any of these threads.
 */
#include "dispatch/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/futex.h"
#include "base/number.h"
#include "base/raw_syscall.h"
#include "base/valgrind.h"
#include "engine/engine.h"
#include "engine/helper.h"

#define ANSWER_NS            100000000u
#define CLOSE_RANGE_UNSHARE_ 2u     /* linux/close_range.h, which old headers lack */
#define PIDFD_THREAD_        O_EXCL /* linux/pidfd.h: Linux 6.9 */

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum ask_kind { ASK_PIN, ASK_CALL };
enum ask_state { ASK_DONE, ASK_OPEN, ASK_LATE /* the engine no longer waits */ };

/*
 * Owned by the keeper until the state is ASK_DONE, then by the engine.  The engine sets ASK_OPEN
 * and ASK_LATE, the keeper ASK_DONE.
 */
struct ask {
	struct message message; /* first: serve() casts it to the ask */
	enum ask_kind kind;
	int fd;
	pid_t tid;            /* ASK_PIN: the asking thread; ASK_CALL: the thread in question */
	struct pin *pin;      /* answer to ASK_PIN */
	enum call_state call; /* answer to ASK_CALL */
	_Atomic uint32_t state;
};

static int own_pidfd = -EBADF;      /* of this process, in the keeper's table, or -errno */
static _Atomic bool is_unavailable; /* the kernel or a sandbox refuses the keeper for good */

/*
 * If the engine no longer waits, drop the pin: the fd may mean another file by now, and nobody
 * else knows of the pin.
 */
static void answer(struct ask *ask)
{
	struct pin *pin = ask->pin;

	if (atomic_exchange(&ask->state, ASK_DONE) == ASK_LATE && pin)
		pin_put(pin);
	futex_wake(&ask->state, 1);
}

/* --- taking over --------------------------------------------------------------- */

/*
 * systemd's @system-service and other filters kill the process that calls pidfd_getfd.  A filter
 * cannot be asked, so behind any filter a duplicate in the program's table serves.
 */
static bool is_filtered(void)
{
	return RAW_SYSCALL(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) > 0;
}

static int take_over_by(int pidfd, int fd)
{
	return (int)RAW_SYSCALL(SYS_pidfd_getfd, pidfd, fd, 0);
}

/* The pidfd of a process gives the table of its main thread.  If that has ended: ESRCH. */
static int take_over(pid_t tid, int program_fd)
{
	int fd, pidfd;

	if (is_filtered())
		return -EPERM;
	fd = own_pidfd < 0 ? own_pidfd : take_over_by(own_pidfd, program_fd);
	if (fd != -ESRCH)
		return fd;
	pidfd = (int)RAW_SYSCALL(SYS_pidfd_open, tid, PIDFD_THREAD_);
	fd = take_over_by(pidfd, program_fd); /* EBADF if the kernel has no such pidfd */
	RAW_SYSCALL(SYS_close, pidfd);
	return fd;
}

/*
 * Before Linux 6.7 a timer wakes the engine (inbox.c).  So the pins' threads need it, with the same
 * number.  The program may have closed it: a file that has the number now is not taken over.
 */
static void take_over_timer(pid_t tid)
{
	int timer = atomic_load(&engine_inbox.wake_timer);
	int fd = timer < 0 ? -EBADF : take_over(tid, timer);

	if (fd < 0 || fd == timer)
		return;
	if (descriptor_is_own(fd) &&
	    (descriptor_is_own(timer) || RAW_SYSCALL(SYS_fcntl, timer, F_GETFD) < 0))
		RAW_SYSCALL(SYS_dup3, fd, timer, O_CLOEXEC);
	RAW_SYSCALL(SYS_close, fd);
}

static struct pin *make_pin(const struct ask *ask)
{
	int fd = take_over(ask->tid, ask->fd);
	struct pin *pin;

	if (fd < 0)
		return NULL;
	take_over_timer(ask->tid);
	pin = pin_make(fd, false);
	if (!pin)
		RAW_SYSCALL(SYS_close, fd);
	return pin;
}

/* --- looking into /proc --------------------------------------------------------- */

/* Read the file @name of the thread @tid as a string; "" if it cannot be read. */
static void read_task_file(pid_t tid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
	fd = (int)RAW_SYSCALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	len = RAW_SYSCALL(SYS_read, fd, text, size - 1); /* EBADF if the open failed */
	RAW_SYSCALL(SYS_close, fd);
	text[len > 0 ? len : 0] = '\0';
}

/* The calls that resolve the descriptor, their first argument, before they can sleep. */
static bool is_transfer(long call)
{
	static const int transfers[] = {
		SYS_read,     SYS_write,    SYS_readv,   SYS_writev,   SYS_pread64, SYS_preadv,
		SYS_preadv2,  SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_fsync,   SYS_fdatasync,
		SYS_recvfrom, SYS_recvmsg,  SYS_sendto,  SYS_sendmsg,
	};

	for (size_t i = 0; i < sizeof(transfers) / sizeof(transfers[0]); i++)
		if (call == transfers[i])
			return true;
	return false;
}

/*
 * "NR 0xARG1 ..." means asleep in a call, "running", or "-1 ..." asleep elsewhere.  The upper
 * half of the register of an int is undefined.
 */
static enum call_state parse_call_state(const char *text, int fd)
{
	char *end;
	long call = number_strtol(text, &end, 10);

	if (end == text)
		return strncmp(text, "running", 7) == 0 ? CALL_OUTSIDE : CALL_UNKNOWN;
	if (is_transfer(call) && (int)number_strtoul(end, NULL, 16) == fd)
		return CALL_INSIDE;
	return CALL_OUTSIDE;
}

/* A thread that a debugger stops on its way into a call looks the same as one inside it. */
static bool is_traced(pid_t tid)
{
	char text[1024];

	read_task_file(tid, "status", text, sizeof(text));
	return !strstr(text, "\nTracerPid:\t0\n");
}

static enum call_state find_call_state(pid_t tid, int fd)
{
	enum call_state state;
	char text[256];

	read_task_file(tid, "syscall", text, sizeof(text));
	state = parse_call_state(text, fd);
	return state == CALL_INSIDE && is_traced(tid) ? CALL_UNKNOWN : state;
}

/* --- the thread ------------------------------------------------------------------ */

static bool begin(struct helper *helper)
{
	/* Valgrind supports neither a table for one thread nor pidfd_open. */
	int ret = valgrind_is_here()
			  ? -ENOSYS
			  : (int)RAW_SYSCALL(SYS_close_range, 0u, ~0u, CLOSE_RANGE_UNSHARE_);
	long process = RAW_SYSCALL(SYS_getpid);

	(void)helper;
	/* A close_range() that fails has closed nothing. */
	if (ret < 0) {
		atomic_store(&is_unavailable, ret != -ENOMEM);
		return false;
	}
	own_pidfd = (int)RAW_SYSCALL(SYS_pidfd_open, process, 0);
	return true;
}

static bool serve(struct helper *helper, struct message *messages)
{
	(void)helper;
	while (messages) {
		struct ask *ask = (struct ask *)messages;

		messages = messages->next;
		if (ask->kind == ASK_PIN)
			ask->pin = make_pin(ask);
		else
			ask->call = find_call_state(ask->tid, ask->fd);
		answer(ask);
	}
	return true;
}

static void refuse(struct helper *helper, struct message *messages)
{
	(void)helper;
	while (messages) {
		struct ask *ask = (struct ask *)messages;

		messages = messages->next;
		answer(ask);
	}
}

static struct helper keeper = {
	.inbox = INBOX_INIT,
	.thread_name = "rtaio-keeper",
	.begin = begin,
	.serve = serve,
	.refuse = refuse,
};

/* --- on the engine --------------------------------------------------------------- */

static struct ask asked; /* one at a time */

/*
 * The keeper begins by emptying a copy of the program's table, at which a file system with a dead
 * server may block it.  So the engine waits for ANSWER_NS only.  A refused ask keeps its initial
 * answers: NULL and CALL_UNKNOWN.
 */
static bool ask_keeper(enum ask_kind kind, int fd, pid_t tid)
{
	struct timespec deadline = clock_in_ns(ANSWER_NS);
	uint32_t open = ASK_OPEN;

	if (atomic_load(&asked.state) != ASK_DONE || atomic_load(&is_unavailable))
		return false;
	asked = (struct ask){ .kind = kind, .fd = fd, .tid = tid, .state = ASK_OPEN };
	helper_push(&keeper, &asked.message);
	while (atomic_load(&asked.state) == ASK_OPEN)
		if (futex_wait(&asked.state, ASK_OPEN, &deadline) == -ETIMEDOUT)
			return !atomic_compare_exchange_strong(&asked.state, &open, ASK_LATE);
	return true;
}

struct pin *keeper_pin(int fd)
{
	return ask_keeper(ASK_PIN, fd, (pid_t)RAW_SYSCALL(SYS_gettid)) ? asked.pin : NULL;
}

enum call_state keeper_call_state(pid_t tid, int fd)
{
	return ask_keeper(ASK_CALL, fd, tid) ? asked.call : CALL_UNKNOWN;
}

void keeper_after_fork(void)
{
	helper_after_fork(&keeper);
	atomic_store(&asked.state, ASK_DONE);
	atomic_store(&is_unavailable, false);
}
