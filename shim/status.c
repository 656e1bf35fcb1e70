// SPDX-License-Identifier: MIT
/*
 * status.c - rtaio-status: what would serve here, what would not, and why.
 *
 * A program of its own, run by "rtaio --status" with the same environment,
 * limits and confinement as the program in question, so it tries the real
 * thing: it makes a ring and an AIO context, each in a child, and drops them.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aio_context.h"
#include "config.h"
#include "log.h"
#include "process.h"
#include "uring_refusal.h"
#include "uring_setup.h"

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

/* Since Linux 6.6. */
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

static int show_io_uring(void)
{
	struct uring uring;
	int ret = uring_setup(&uring);

	if (ret < 0) {
		struct uring_refusal refusal = uring_refusal(-ret);

		printf("io_uring   no    %s: %s\n                 what helps: %s\n", strerror(-ret),
		       refusal.reason, refusal.remedy);
		show_sysctl();
		return ret;
	}
	printf("io_uring   yes   ring %s, completions %s, %u entries, woken by %s\n",
	       uring.features & URING_HIDDEN       ? "without descriptor or mapping"
	       : uring.features & URING_REGISTERED ? "without descriptor"
						   : "with a descriptor above 1000",
	       uring.features & (URING_HIDDEN | URING_DEFER) ? "on the engine thread only"
							     : "by interruption of the engine",
	       uring.ring.sq.ring_entries, uring.features & URING_FUTEX ? "futex" : "timer");
	uring_teardown(&uring);
	return 0;
}

static int show_libaio(void)
{
	int ret = aio_context_open();

	if (ret < 0) {
		printf("libaio     no    %s\n                 %s\n", strerror(-ret),
		       libaio_remedy(-ret));
		return ret;
	}
	printf("libaio     yes   the kernel grants contexts of Linux AIO\n");
	return 0;
}

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_DEATH };

/* In a child, since a seccomp filter may kill who asks. */
static enum answer ask(const char *name, int (*show)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid <= 0) {
		int ret = show();

		if (pid < 0)
			return ret < 0 ? ANSWER_NO : ANSWER_YES;
		fflush(stdout);
		_exit(ret < 0 ? ANSWER_NO : ANSWER_YES);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		return (enum answer)WEXITSTATUS(status);
	printf("%-10s no    who asks for it is killed, by a seccomp filter\n"
	       "                 what helps: RTAIO_BACKEND=threads, which does not ask\n",
	       name);
	return ANSWER_DEATH;
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

/* Which lanes there would be with the environment as it is.  False: none. */
static bool show_choice(enum answer uring, enum answer libaio)
{
	enum backend_choice choice = config.backend;
	bool wants_ring = choice == BACKEND_AUTO || choice == BACKEND_IO_URING;
	bool wants_direct = choice == BACKEND_AUTO || choice == BACKEND_LIBAIO;
	bool has_ring = uring == ANSWER_YES && wants_ring;
	bool has_direct = libaio == ANSWER_YES && wants_direct;

	printf("\nRTAIO_BACKEND=%s: ", backend_names[choice]);
	if (choice == BACKEND_GLIBC) {
		printf("rtaio stands aside, glibc serves\n");
		return true;
	}
	if ((uring == ANSWER_DEATH && wants_ring) || (libaio == ANSWER_DEATH && wants_direct)) {
		printf("a program that uses asynchronous I/O would be killed here\n");
		return false;
	}
	if (choice == BACKEND_INVALID || (choice == BACKEND_IO_URING && !has_ring) ||
	    (choice == BACKEND_LIBAIO && !has_direct)) {
		printf("cannot serve here; asynchronous I/O would fail with ENOSYS\n");
		return false;
	}
	printf("these lanes, the first that fits a request serves it\n");
	if (config.inline_lane)
		printf("  inline   page cache hits, files in memory, small buffered writes: in the "
		       "call\n");
	if (config.offload)
		printf("  offload  copies when many requests are under way, a long transfer or sync: "
		       "to a worker, without the engine\n");
	if (has_direct)
		printf("  direct   O_DIRECT without notification: Linux AIO\n");
	printf("  %-8s everything else\n", has_ring ? "ring" : "threads");
	return true;
}

int main(void)
{
	struct utsname kernel;
	enum answer uring, libaio;

	signal(SIGCHLD, SIG_DFL); /* ignored, it would keep the children's answers back */
	config_load(true);
	uname(&kernel);
	printf("rtaio %s on %s %s %s\n\n", RTAIO_VERSION, kernel.sysname, kernel.release,
	       kernel.machine);
	uring = ask("io_uring", show_io_uring);
	libaio = ask("libaio", show_libaio);
	printf("threads    yes   %u for files at most, one for each blocked stream\n",
	       config.threads_max);
	show_limits();
	return show_choice(uring, libaio) ? 0 : 1;
}
