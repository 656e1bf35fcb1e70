// SPDX-License-Identifier: MIT
/*
 * status.c - rtaio-status: which lanes would serve here, and why others would not.
 *
 * "rtaio --status" runs this program with the environment, limits and confinement of the program
 * in question.  So it tries the real thing: it makes a ring, and it reads by Linux AIO, each in a
 * child.  Another child makes each system call of the library with arguments that are wrong, which
 * shows what a seccomp filter refuses, and at which calls it kills.  The first line says whether
 * all is well, the last ones list the lanes.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/valgrind.h"
#include "engine/aio_context.h"
#include "engine/uring_refusal.h"
#include "engine/uring_setup.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define CAP_SYS_ADMIN_BIT 21
#define READ_TIMEOUT_S    5

/* Who calls it?  The last ones are those of rtaio(7), "Sandboxes that kill". */
enum caller { BY_RING, BY_LIBAIO, BY_ALL };

#define CALL(caller, name)                \
	{                                 \
#name, SYS_##name, caller \
	}

static const struct call {
	const char *name;
	long nr;
	enum caller caller;
} calls[] = {
	CALL(BY_RING, io_uring_setup),
	CALL(BY_RING, io_uring_enter),
	CALL(BY_RING, io_uring_register),
	CALL(BY_LIBAIO, io_setup),
	CALL(BY_LIBAIO, io_submit),
	CALL(BY_LIBAIO, io_pgetevents),
	CALL(BY_LIBAIO, io_destroy),
	CALL(BY_ALL, fstat),
	CALL(BY_ALL, fstatfs),
	CALL(BY_ALL, getpriority),
	CALL(BY_ALL, getrusage),
	CALL(BY_ALL, getsockopt),
	CALL(BY_ALL, gettid),
	CALL(BY_ALL, ioctl),
	CALL(BY_ALL, ioprio_get),
	CALL(BY_ALL, ioprio_set),
	CALL(BY_ALL, kill),
	CALL(BY_ALL, ppoll),
	CALL(BY_ALL, prctl),
	CALL(BY_ALL, preadv),
	CALL(BY_ALL, preadv2),
	CALL(BY_ALL, prlimit64),
	CALL(BY_ALL, pwritev2),
	CALL(BY_ALL, readlinkat),
	CALL(BY_ALL, sched_getaffinity),
	CALL(BY_ALL, sched_setaffinity),
	CALL(BY_ALL, sched_yield),
	CALL(BY_ALL, setpriority),
	CALL(BY_ALL, statx),
	CALL(BY_ALL, close),
	CALL(BY_ALL, close_range),
	CALL(BY_ALL, kcmp),
	CALL(BY_ALL, nanosleep),
	CALL(BY_ALL, openat),
	CALL(BY_ALL, pidfd_open),
	CALL(BY_ALL, rt_sigpending),
	CALL(BY_ALL, rt_sigtimedwait),
};

#define RING_ENTRY 1 /* no sysctl is for it */
#define NR_CALLS   (sizeof(calls) / sizeof(calls[0]))

/* What the children found, in shared memory.  One that a seccomp filter kills leaves no answer. */
static struct found {
	struct answer {
		bool is_there;
		int err; /* 0: it serves */
	} uring, libaio, unlocked, calls[NR_CALLS];
	size_t nr_called;  /* of the calls; one may have been the end of a child */
	uint32_t features; /* of the ring */
	uint32_t nr_entries;
} * found;

static bool has_filter;

/* ---- looking into /proc ---- */

/* The number in a file of sysctls, or @absent. */
static long long sysctl_value(const char *path, long long absent)
{
	FILE *file = fopen(path, "re");
	long long value;

	if (!file)
		return absent;
	if (fscanf(file, "%lld", &value) != 1)
		value = absent;
	fclose(file);
	return value;
}

/* A number of /proc/self/status, or 0. */
static unsigned long long own_status(const char *name, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long value = 0;
	char line[4096];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, base);
	fclose(file);
	return value;
}

/* The files exist since Linux 6.6. */
#define URING_DISABLED "/proc/sys/kernel/io_uring_disabled"
#define URING_GROUP    "/proc/sys/kernel/io_uring_group"
#define AIO_MAX_NR     "/proc/sys/fs/aio-max-nr"

static bool is_in_group(long long group)
{
	static gid_t groups[NGROUPS_MAX];
	int nr = getgroups(NGROUPS_MAX, groups);

	for (int i = 0; i < nr; i++)
		if (groups[i] == group)
			return true;
	return getegid() == group;
}

static bool sysctl_forbids_ring(void)
{
	long long disabled = sysctl_value(URING_DISABLED, 0);

	if (disabled != 1)
		return disabled == 2;
	return !(own_status("CapEff:", 16) & 1u << CAP_SYS_ADMIN_BIT) &&
	       !is_in_group(sysctl_value(URING_GROUP, -1));
}

/* ---- asking the kernel ---- */

static struct answer ask_io_uring(void)
{
	struct uring uring;
	int ret = uring_setup(&uring);

	if (ret == 0) {
		found->features = uring.features;
		found->nr_entries = uring.ring.sq.ring_entries;
		uring_teardown(&uring);
	}
	return (struct answer){ true, -ret };
}

/* Does a ring need memory that may be locked? */
static struct answer ask_unlocked(void)
{
	struct rlimit old, none;
	struct uring uring;
	int ret;

	getrlimit(RLIMIT_MEMLOCK, &old);
	none = (struct rlimit){ 0, old.rlim_max };
	setrlimit(RLIMIT_MEMLOCK, &none);
	ret = uring_setup(&uring);
	setrlimit(RLIMIT_MEMLOCK, &old);
	if (ret == 0)
		uring_teardown(&uring);
	return (struct answer){ true, -ret };
}

/* A read of a pipe that has a byte, by the calls of the direct lane. */
static int read_by_libaio(void)
{
	struct timespec timeout = { .tv_sec = READ_TIMEOUT_S };
	struct io_event event;
	struct iocb iocb = { .aio_lio_opcode = IO_CMD_PREAD }, *iocbs[] = { &iocb };
	int fds[2], ret;
	char byte = 'x';

	if (pipe(fds) < 0 || write(fds[1], &byte, 1) != 1)
		return -errno;
	iocb.aio_fildes = fds[0];
	iocb.u.c.buf = &byte;
	iocb.u.c.nbytes = 1;
	ret = aio_context_submit(1, iocbs);
	if (ret < 0)
		return ret;
	ret = (int)RAW_SYSCALL(SYS_io_pgetevents, aio_context(), 1L, 1L, &event, &timeout, NULL);
	return ret < 0 ? ret : ret == 1 && event.res == 1 ? 0 : -EIO;
}

static struct answer ask_libaio(void)
{
	int ret = aio_context_open();

	if (ret == 0)
		ret = read_by_libaio();
	return (struct answer){ true, -ret };
}

/*
 * A call that gets through fails by its arguments, if at all.  No process has the largest number.
 * Valgrind would look into the arguments itself.
 */
static struct answer ask_calls(void)
{
	while (found->nr_called < NR_CALLS) {
		size_t i = found->nr_called++;
		long first = calls[i].nr == SYS_kill ? INT_MAX : -1;
		long ret = 0;

		if (!valgrind_is_here())
			ret = RAW_SYSCALL(calls[i].nr, first, -1L, -1L, -1L, -1L, -1L);

		found->calls[i] = (struct answer){ true, ret < 0 && ret > -4096 ? (int)-ret : 0 };
	}
	return (struct answer){ true, 0 };
}

/* In a child, since a seccomp filter may kill the process that asks. */
static void ask(struct answer *answer, struct answer (*ask_kernel)(void))
{
	pid_t pid = fork();

	if (pid <= 0)
		*answer = ask_kernel();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void ask_everything(void)
{
	struct answer all;

	has_filter = own_status("Seccomp:", 10) != 0;
	ask(&found->uring, ask_io_uring);
	ask(&found->unlocked, ask_unlocked);
	ask(&found->libaio, ask_libaio);
	while (found->nr_called < NR_CALLS)
		ask(&all, ask_calls);
}

/* ---- what was refused ---- */

static bool is_killed(const struct answer *answer)
{
	return !answer->is_there;
}

static bool is_refused(const struct answer *answer)
{
	return answer->is_there && (answer->err == EPERM || answer->err == EACCES ||
				    answer->err == ENOSYS || answer->err == EOPNOTSUPP);
}

/* The names of such calls, behind a title. */
static unsigned show_calls(const char *title, enum caller caller,
			   bool (*is_meant)(const struct answer *answer))
{
	unsigned nr = 0;

	for (size_t i = 0; i < NR_CALLS; i++)
		if (calls[i].caller == caller && is_meant(&found->calls[i]))
			printf("%s%s", nr++ ? ", " : title, calls[i].name);
	if (nr)
		putchar('\n');
	return nr;
}

static bool is_any_killed(enum caller caller)
{
	for (size_t i = 0; i < NR_CALLS; i++)
		if (calls[i].caller == caller && is_killed(&found->calls[i]))
			return true;
	return false;
}

/* The library cannot tell the filter from the sysctl, since it opens no file. */
static struct uring_refusal ring_refusal(int err)
{
	bool by_filter = has_filter && is_refused(&found->calls[RING_ENTRY]);
	bool by_sysctl = err == EPERM && sysctl_forbids_ring();
	struct uring_refusal refusal = uring_refusal(err);

	if (by_sysctl && !by_filter) {
		refusal.reason = "sysctl kernel.io_uring_disabled forbids it";
		refusal.remedy = "sysctl -w kernel.io_uring_disabled=0; or, with 1, run as a "
				 "member of the group kernel.io_uring_group";
	} else if (has_filter && !by_sysctl &&
		   (err == EPERM || (err == ENOSYS && sysctl_value(URING_DISABLED, -1) >= 0))) {
		refusal.reason = "a seccomp filter (container profile) forbids it";
		refusal.remedy = "allow io_uring_setup, io_uring_enter and io_uring_register in "
				 "the profile";
	}
	return refusal;
}

static struct uring_refusal libaio_refusal(int err)
{
	static const char allow[] =
		"allow io_setup, io_submit, io_pgetevents and io_destroy in the profile";

	if (err == EAGAIN)
		return (struct uring_refusal){
			"fs.aio-max-nr is spent by other programs",
			"raise sysctl fs.aio-max-nr",
		};
	if (err == EOPNOTSUPP)
		return (struct uring_refusal){
			"valgrind cannot look into it",
			"nothing: worker threads serve there",
		};
	if (err == ENOSYS && sysctl_value(AIO_MAX_NR, -1) < 0)
		return (struct uring_refusal){
			"the kernel, or a sandbox that emulates one, is without it",
			"use a kernel with CONFIG_AIO",
		};
	if (has_filter && (err == EPERM || err == EACCES || err == ENOSYS))
		return (struct uring_refusal){ "a seccomp filter forbids it", allow };
	if (err == EPERM || err == EACCES || err == ENOSYS)
		return (struct uring_refusal){
			"a sandbox that emulates a kernel has no context that can be mapped",
			"nothing: worker threads serve there",
		};
	return (struct uring_refusal){ "rtaio does not know this error", "please report it" };
}

/* ---- showing it ---- */

static void show_refusal(const char *name, int err, struct uring_refusal refusal)
{
	printf("%-10s no    %s: %s\n                 remedy: %s\n", name, strerror(err),
	       refusal.reason, refusal.remedy);
}

static bool serves(const struct answer *answer)
{
	return answer->is_there && answer->err == 0;
}

static void show_uring_sysctl(void)
{
	long long disabled = sysctl_value(URING_DISABLED, -1);
	long long group = sysctl_value(URING_GROUP, -1);

	if (disabled < 0 || (disabled == 0 && serves(&found->uring)))
		return;
	printf("                 kernel.io_uring_disabled is %lld", disabled);
	if (disabled == 1 && group < 0)
		printf(", so that root alone may use it: kernel.io_uring_group names no group");
	else if (disabled == 1)
		printf(", so that root and group %lld (kernel.io_uring_group) may use it", group);
	putchar('\n');
}

static void show_io_uring(void)
{
	uint32_t features = found->features;

	if (found->uring.err)
		show_refusal("io_uring", found->uring.err, ring_refusal(found->uring.err));
	else
		printf("io_uring   yes   ring %s, completions %s, %u entries, woken by %s\n",
		       features & URING_HIDDEN       ? "without descriptor or mapping"
		       : features & URING_REGISTERED ? "without descriptor"
						     : "with a descriptor above 1000",
		       features & (URING_HIDDEN | URING_DEFER) ? "on the engine thread only"
							       : "by interruption of the engine",
		       found->nr_entries, features & URING_FUTEX ? "futex" : "timer");
	show_calls("                 refused: ", BY_RING, is_refused);
	show_uring_sysctl();
}

static void show_libaio(void)
{
	if (found->libaio.err)
		show_refusal("libaio", found->libaio.err, libaio_refusal(found->libaio.err));
	else
		printf("libaio     yes   the kernel grants contexts of Linux AIO, and reads by "
		       "them\n");
	show_calls("                 refused: ", BY_LIBAIO, is_refused);
}

static void show(const char *name, const struct answer *answer, enum caller caller,
		 void (*show_answer)(void))
{
	if (answer->is_there) {
		show_answer();
		return;
	}
	printf("%-10s no    a seccomp filter kills the process that asks for it\n"
	       "                 remedy: RTAIO_BACKEND=threads, which does not ask\n",
	       name);
	show_calls("                 killed: ", caller, is_killed);
}

/* Without these the library does less, but it cannot survive a kill. */
static void show_other_calls(void)
{
	show_calls("refused    what rtaio can do without: ", BY_ALL, is_refused);
	if (show_calls("killed     what rtaio needs: ", BY_ALL, is_killed))
		printf("                 remedy: allow them, or RTAIO_BACKEND=glibc\n");
}

static void show_limits(void)
{
	long long max = sysctl_value(AIO_MAX_NR, -1);
	struct rlimit memlock, nofile;

	getrlimit(RLIMIT_MEMLOCK, &memlock);
	getrlimit(RLIMIT_NOFILE, &nofile);
	printf("limits           locked memory ");
	if (memlock.rlim_cur == RLIM_INFINITY)
		printf("unlimited");
	else
		printf("%llu KiB", (unsigned long long)memlock.rlim_cur / 1024);
	if (found->unlocked.err == ENOMEM)
		printf(" (the rings of all processes of the user share it)");
	else if (found->unlocked.is_there && found->unlocked.err == 0)
		printf(" (no ring needs it here)");
	printf(", descriptors %llu\n", (unsigned long long)nofile.rlim_cur);
	if (max >= 0)
		printf("                 Linux AIO: %lld of fs.aio-max-nr %lld left on this "
		       "machine, a process takes 1\n",
		       max - sysctl_value("/proc/sys/fs/aio-nr", 0), max);
}

/* Whether all is well, in one line.  False: asynchronous I/O would not work. */
static bool show_summary(bool wants_ring, bool wants_direct)
{
	bool lacks =
		(wants_ring && !serves(&found->uring)) || (wants_direct && !serves(&found->libaio));
	bool would_die = (wants_ring && !found->uring.is_there) ||
			 (wants_direct && !found->libaio.is_there) ||
			 (config.backend != BACKEND_GLIBC && is_any_killed(BY_ALL));
	bool would_fail =
		config.backend == BACKEND_INVALID || (lacks && config.backend != BACKEND_AUTO);

	puts(would_die    ? "Not well: a program that uses asynchronous I/O would be killed here."
	     : would_fail ? "Not well: what RTAIO_BACKEND asks for cannot serve here; "
			    "asynchronous I/O would fail with ENOSYS."
	     : config.backend == BACKEND_GLIBC ? "As asked: rtaio is switched off, glibc serves."
	     : lacks ? "It works, but more slowly than it could: see the remedy below."
		     : "All is well.");
	return !would_die && !would_fail;
}

static void show_lanes(bool has_ring, bool has_direct)
{
	printf("\nRTAIO_BACKEND=%s: the first of these lanes that accepts a request serves it\n",
	       backend_names[config.backend]);
	if (config.inline_lane)
		printf("  inline   data in memory or in a pipe, up to 64 KiB: in the call that "
		       "submits\n");
	if (has_direct)
		printf("  direct   O_DIRECT without notification: Linux AIO\n");
	if (config.inline_lane)
		printf("  copier   reads from memory, many before a result is asked for: a thread "
		       "that copies\n");
	if (config.offload_lane)
		printf("  offload  a long transfer, a sync, a write that may wait: a worker, without "
		       "the engine\n");
	printf("  engine   everything else: %s\n",
	       has_ring ? "io_uring, and workers" : "worker threads");
}

int main(void)
{
	struct utsname kernel;
	bool wants_ring, wants_direct, is_well;

	config_load(true);
	wants_ring = config.backend == BACKEND_AUTO || config.backend == BACKEND_IO_URING;
	wants_direct = config.backend == BACKEND_AUTO || config.backend == BACKEND_LIBAIO;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (found == MAP_FAILED) {
		perror("rtaio-status: mmap");
		return 2;
	}
	ask_everything();
	is_well = show_summary(wants_ring, wants_direct);
	uname(&kernel);
	printf("\nrtaio %s on %s %s %s%s\n", RTAIO_VERSION, kernel.sysname, kernel.release,
	       kernel.machine, has_filter ? ", behind a seccomp filter" : "");
	show("io_uring", &found->uring, BY_RING, show_io_uring);
	show("libaio", &found->libaio, BY_LIBAIO, show_libaio);
	printf("threads    yes   at most %u for files, and one for each stream that blocks\n",
	       config.threads_max);
	show_other_calls();
	show_limits();
	if (is_well && config.backend != BACKEND_GLIBC)
		show_lanes(wants_ring && serves(&found->uring),
			   wants_direct && serves(&found->libaio));
	return is_well ? 0 : 1;
}
