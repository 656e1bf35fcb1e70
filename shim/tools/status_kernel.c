// SPDX-License-Identifier: MIT
/*
 * status_kernel.c - the contract is in status_kernel.h
 *
 * It tries the real thing: it makes a ring, reads by Linux AIO and makes a thread, each in a child.
 * Another child makes each system call of the library with arguments that are wrong.  That shows
 * what a seccomp filter refuses, and at which calls it kills.
 */
#include "tools/status_kernel.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/raw_syscall.h"
#include "base/valgrind.h"
#include "engine/aio_context.h"
#include "engine/uring_setup.h"

#define CAP_SYS_ADMIN_BIT 21
#define FIRST_USER_NS     0xeffffffdu /* PROC_USER_INIT_INO of the kernel */
#define READ_TIMEOUT_S    5

#define CALL(caller, name)                \
	{                                 \
#name, SYS_##name, caller \
	}

const struct status_call status_calls[] = {
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
	CALL(BY_ALL, madvise),
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

#define NR_CALLS (sizeof(status_calls) / sizeof(status_calls[0]))

const size_t status_nr_calls = NR_CALLS;

static struct found *found;

/* ---- looking into /proc ---- */

long long sysctl_value(const char *path, long long absent)
{
	FILE *file = fopen(path, "re");
	long long value;

	if (!file)
		return absent;
	if (number_fscanf(file, "%lld", &value) != 1)
		value = absent;
	fclose(file);
	return value;
}

/* Those in effect, as bits. */
static unsigned long long own_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long value = 0;
	char line[4096];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (number_sscanf(line, "CapEff: %llx", &value) == 1)
			break;
	fclose(file);
	return value;
}

/* The sysctl does not care for capabilities in another user namespace than the machine's. */
static bool is_administrator(void)
{
	struct stat ns;

	if (stat("/proc/self/ns/user", &ns) == 0 && ns.st_ino != FIRST_USER_NS)
		return false;
	return own_capabilities() & 1u << CAP_SYS_ADMIN_BIT;
}

static bool is_in_group(long long group)
{
	static gid_t groups[NGROUPS_MAX];
	int nr = getgroups(NGROUPS_MAX, groups);

	for (int i = 0; i < nr; i++)
		if (groups[i] == group)
			return true;
	return getegid() == group;
}

bool sysctl_forbids_ring(void)
{
	long long disabled = sysctl_value(URING_DISABLED, 0);

	if (disabled != 1)
		return disabled == 2;
	return !is_administrator() && !is_in_group(sysctl_value(URING_GROUP, -1));
}

/* ---- asking the kernel ---- */

/* A filter that refuses the question, or kills, is one.  EINVAL: the kernel has no filters. */
static struct answer ask_filter(void)
{
	long ret = RAW_SYSCALL(SYS_prctl, PR_GET_SECCOMP);

	found->has_filter = ret != 0 && ret != -EINVAL;
	return (struct answer){ true, 0 };
}

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

static void *leave_at_once(void *arg)
{
	return arg;
}

static struct answer ask_threads(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, leave_at_once, NULL);

	if (err == 0)
		pthread_join(thread, NULL);
	return (struct answer){ true, err };
}

/*
 * A call that gets through fails by its arguments, if at all.  No process has the largest number.
 * A filter may allow other advice than ours.  Valgrind would look into the arguments itself.
 */
static struct answer ask_calls(void)
{
	while (found->nr_called < NR_CALLS) {
		size_t i = found->nr_called++;
		long first = status_calls[i].nr == SYS_kill ? INT_MAX : -1;
		long third = status_calls[i].nr == SYS_madvise ? MADV_WIPEONFORK : -1;
		long ret = 0;

		if (!valgrind_is_here())
			ret = RAW_SYSCALL(status_calls[i].nr, first, -1L, third, -1L, -1L, -1L);

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

const struct found *status_ask(void)
{
	size_t size = sizeof(*found) + NR_CALLS * sizeof(found->calls[0]);
	struct answer all;

	found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED)
		return NULL;
	found->has_filter = true;
	ask(&all, ask_filter);
	ask(&found->uring, ask_io_uring);
	ask(&found->unlocked, ask_unlocked);
	ask(&found->libaio, ask_libaio);
	ask(&found->threads, ask_threads);
	while (found->nr_called < NR_CALLS)
		ask(&all, ask_calls);
	return found;
}
