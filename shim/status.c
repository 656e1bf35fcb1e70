// SPDX-License-Identifier: MIT
/*
 * status.c - rtaio-status: what would serve here, what would not, and why.
 *
 * A program of its own, run by "rtaio --status" with the same environment,
 * limits and confinement as the program in question, so it tries the real
 * thing: it makes a ring and an AIO context, and drops them.
 */
#include <errno.h>
#include <libaio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "config.h"
#include "log.h"
#include "process.h"
#include "uring_setup.h"

static const char *io_uring_remedy(int err)
{
	switch (err) {
	case EPERM:
		return "refused by a seccomp filter (container profile) or by sysctl "
		       "kernel.io_uring_disabled; allow io_uring_setup, io_uring_enter and "
		       "io_uring_register in the profile, or sysctl -w kernel.io_uring_disabled=0";
	case ENOSYS:
		return "the kernel has no io_uring (5.7 or newer is needed), or the sandbox hides "
		       "it; use a newer kernel or another container profile";
	case ENOMEM:
		return "locked memory is short: raise ulimit -l (256 is enough)";
	case EMFILE:
	case ENFILE:
		return "no descriptor is free: raise ulimit -n";
	default:
		return "unexpected; please report it";
	}
}

static const char *libaio_remedy(int err)
{
	switch (err) {
	case EAGAIN:
		return "fs.aio-max-nr is spent by other programs: raise it with sysctl";
	case EPERM:
		return "refused by a seccomp filter: allow io_setup, io_submit, io_getevents and "
		       "io_destroy";
	case ENOSYS:
		return "the kernel was built without CONFIG_AIO";
	default:
		return "unexpected; please report it";
	}
}

static int show_io_uring(void)
{
	struct uring uring;
	int ret = uring_setup(&uring);

	if (ret < 0) {
		printf("io_uring   no    %s\n                 %s\n", strerror(-ret),
		       io_uring_remedy(-ret));
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
	io_context_t context = NULL;
	int ret = io_setup(1, &context);

	if (ret < 0) {
		printf("Linux AIO  no    %s\n                 %s\n", strerror(-ret),
		       libaio_remedy(-ret));
		return ret;
	}
	io_destroy(context);
	printf("Linux AIO  yes   the kernel grants contexts\n");
	return 0;
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

/* What the library would do with RTAIO_BACKEND as it is set. */
static int show_choice(int uring)
{
	const char *serves = backend_names[config.backend];

	switch (config.backend) {
	case BACKEND_AUTO:
		serves = uring == 0 ? "io_uring" : "threads";
		break;
	case BACKEND_IO_URING:
		serves = uring == 0 ? serves : NULL;
		break;
	case BACKEND_LIBAIO:
	case BACKEND_INVALID:
		serves = NULL;
		break;
	case BACKEND_THREADS:
	case BACKEND_GLIBC:
	case BACKEND_NR:
		break;
	}
	if (serves)
		printf("\nRTAIO_BACKEND=%s: %s serves\n", backend_names[config.backend], serves);
	else
		printf("\nRTAIO_BACKEND=%s cannot serve here: asynchronous I/O would fail with ENOSYS\n",
		       backend_names[config.backend]);
	return serves ? 0 : 1;
}

int main(void)
{
	struct utsname kernel;
	int uring;

	config_load();
	uname(&kernel);
	printf("rtaio %s on %s %s %s\n\n", RTAIO_VERSION, kernel.sysname, kernel.release,
	       kernel.machine);
	uring = show_io_uring();
	show_libaio();
	printf("threads    yes   %u for files at most, one for each blocked stream\n",
	       config.threads_max);
	show_limits();
	return show_choice(uring);
}
