// SPDX-License-Identifier: MIT
/*
 * status.c - rtaio-status: which lanes would serve here, and why others would not.
 *
 * "rtaio --status" runs this program with the environment, limits and confinement of the program
 * in question, and asks the kernel (status_kernel.c).  The first line says whether all is well, the
 * last ones list the lanes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/uring_refusal.h"
#include "engine/uring_setup.h"
#include "tools/status_kernel.h"

static const struct found *found;

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

	for (size_t i = 0; i < status_nr_calls; i++)
		if (status_calls[i].caller == caller && is_meant(&found->calls[i]))
			printf("%s%s", nr++ ? ", " : title, status_calls[i].name);
	if (nr)
		putchar('\n');
	return nr;
}

static bool is_any_killed(enum caller caller)
{
	for (size_t i = 0; i < status_nr_calls; i++)
		if (status_calls[i].caller == caller && is_killed(&found->calls[i]))
			return true;
	return false;
}

/* The library cannot tell the filter from the sysctl, since it opens no file. */
static struct uring_refusal ring_refusal(int err)
{
	bool by_filter = found->has_filter && is_refused(&found->calls[RING_ENTRY]);
	bool by_sysctl = err == EPERM && sysctl_forbids_ring();
	struct uring_refusal refusal = uring_refusal(err);

	if (by_sysctl && !by_filter) {
		refusal.reason = "sysctl kernel.io_uring_disabled forbids it";
		refusal.remedy = "sysctl -w kernel.io_uring_disabled=0; or, with 1, run as a "
				 "member of the group kernel.io_uring_group";
	} else if (found->has_filter && !by_sysctl &&
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
	if (found->has_filter && (err == EPERM || err == EACCES || err == ENOSYS))
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

static void show_threads(void)
{
	if (!found->threads.is_there)
		puts("threads    no    a seccomp filter kills the process that makes one\n"
		     "                 remedy: allow clone and clone3");
	else if (found->threads.err)
		show_refusal("threads", found->threads.err,
			     (struct uring_refusal){ "no thread can be made here",
						     "raise ulimit -u and the cgroup's pids.max; a "
						     "seccomp filter must allow clone" });
	else
		printf("threads    yes   at most %u for files, and one for each stream that "
		       "blocks\n",
		       config.threads_max);
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
			 (wants_direct && !found->libaio.is_there) || !found->threads.is_there ||
			 (config.backend != BACKEND_GLIBC && is_any_killed(BY_ALL));
	bool would_fail =
		config.backend == BACKEND_INVALID || (lacks && config.backend != BACKEND_AUTO);

	puts(would_die    ? "Not well: a program that uses asynchronous I/O would be killed here."
	     : would_fail ? "Not well: what RTAIO_BACKEND asks for cannot serve here; "
			    "asynchronous I/O would fail with ENOSYS."
	     : config.backend == BACKEND_GLIBC ? "As asked: rtaio is switched off, glibc serves."
	     : lacks || found->threads.err
		     ? "It works, but more slowly than it could: see the remedy below."
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
	found = status_ask();
	if (!found) {
		perror("rtaio-status: mmap");
		return 2;
	}
	is_well = show_summary(wants_ring, wants_direct);
	uname(&kernel);
	printf("\nrtaio %s on %s %s %s%s\n", RTAIO_VERSION, kernel.sysname, kernel.release,
	       kernel.machine, found->has_filter ? ", behind a seccomp filter" : "");
	show("io_uring", &found->uring, BY_RING, show_io_uring);
	show("libaio", &found->libaio, BY_LIBAIO, show_libaio);
	show_threads();
	show_other_calls();
	show_limits();
	if (is_well && config.backend != BACKEND_GLIBC)
		show_lanes(wants_ring && serves(&found->uring),
			   wants_direct && serves(&found->libaio));
	return is_well ? 0 : 1;
}
