// SPDX-License-Identifier: MIT
/*
 * status.c - rtaio-status: which lanes would serve here, and why others would not.
 *
 * "rtaio --status" runs this program with the environment, limits and confinement of the program
 * in question.  So it tries the real thing: it makes a ring and an AIO context, each in a child,
 * and drops them.  The first line says whether all is well, the last ones list the lanes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/aio_context.h"
#include "engine/uring_refusal.h"
#include "engine/uring_setup.h"

/* What the children found, in shared memory.  One that a seccomp filter kills leaves no answer. */
static struct found {
	struct answer {
		bool is_there;
		int err; /* 0: it serves */
	} uring, libaio;
	uint32_t features; /* of the ring */
	uint32_t nr_entries;
} * found;

static const char *libaio_remedy(int err)
{
	switch (err) {
	case EAGAIN:
		return "fs.aio-max-nr is spent by other programs: raise it with sysctl";
	case EPERM:
		return "refused by a seccomp filter: allow io_setup, io_submit, io_pgetevents and "
		       "io_destroy";
	case ENOSYS:
		return "the kernel was built without CONFIG_AIO";
	case EOPNOTSUPP:
		return "valgrind cannot look into it: worker threads serve there";
	default:
		return "unexpected; please report it";
	}
}

/* The file exists since Linux 6.6. */
static void show_sysctl(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value;

	if (!file)
		return;
	if (fscanf(file, "%d", &value) == 1)
		printf("                 kernel.io_uring_disabled is %d\n", value);
	fclose(file);
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

static struct answer ask_libaio(void)
{
	return (struct answer){ true, -aio_context_open() };
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

static void show_io_uring(void)
{
	uint32_t features = found->features;

	if (found->uring.err) {
		struct uring_refusal refusal = uring_refusal(found->uring.err);

		printf("io_uring   no    %s: %s\n                 remedy: %s\n",
		       strerror(found->uring.err), refusal.reason, refusal.remedy);
		show_sysctl();
	} else {
		printf("io_uring   yes   ring %s, completions %s, %u entries, woken by %s\n",
		       features & URING_HIDDEN       ? "without descriptor or mapping"
		       : features & URING_REGISTERED ? "without descriptor"
						     : "with a descriptor above 1000",
		       features & (URING_HIDDEN | URING_DEFER) ? "on the engine thread only"
							       : "by interruption of the engine",
		       found->nr_entries, features & URING_FUTEX ? "futex" : "timer");
	}
}

static void show_libaio(void)
{
	if (found->libaio.err)
		printf("libaio     no    %s\n                 remedy: %s\n",
		       strerror(found->libaio.err), libaio_remedy(found->libaio.err));
	else
		printf("libaio     yes   the kernel grants contexts of Linux AIO\n");
}

static void show(const char *name, const struct answer *answer, void (*show_answer)(void))
{
	if (answer->is_there)
		show_answer();
	else
		printf("%-10s no    a seccomp filter kills the process that asks for it\n"
		       "                 remedy: RTAIO_BACKEND=threads, which does not ask\n",
		       name);
}

static void show_limits(void)
{
	struct rlimit memlock, nofile;

	getrlimit(RLIMIT_MEMLOCK, &memlock);
	getrlimit(RLIMIT_NOFILE, &nofile);
	printf("limits           locked memory ");
	if (memlock.rlim_cur == RLIM_INFINITY)
		printf("unlimited");
	else
		printf("%llu KiB", (unsigned long long)memlock.rlim_cur / 1024);
	printf(", descriptors %llu\n", (unsigned long long)nofile.rlim_cur);
}

static bool serves(const struct answer *answer)
{
	return answer->is_there && answer->err == 0;
}

/* Whether all is well, in one line.  False: asynchronous I/O would not work. */
static bool show_summary(bool wants_ring, bool wants_direct)
{
	bool lacks =
		(wants_ring && !serves(&found->uring)) || (wants_direct && !serves(&found->libaio));
	bool would_die =
		(wants_ring && !found->uring.is_there) || (wants_direct && !found->libaio.is_there);
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
	ask(&found->uring, ask_io_uring);
	ask(&found->libaio, ask_libaio);
	is_well = show_summary(wants_ring, wants_direct);
	uname(&kernel);
	printf("\nrtaio %s on %s %s %s\n", RTAIO_VERSION, kernel.sysname, kernel.release,
	       kernel.machine);
	show("io_uring", &found->uring, show_io_uring);
	show("libaio", &found->libaio, show_libaio);
	printf("threads    yes   at most %u for files, and one for each stream that blocks\n",
	       config.threads_max);
	show_limits();
	if (is_well && config.backend != BACKEND_GLIBC)
		show_lanes(wants_ring && serves(&found->uring),
			   wants_direct && serves(&found->libaio));
	return is_well ? 0 : 1;
}
