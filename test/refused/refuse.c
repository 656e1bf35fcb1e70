// SPDX-License-Identifier: MIT
/*
 * refuse.c - run a command in a sandbox that refuses kernel interfaces
 *
 *   refuse INTERFACE[=ERROR]... -- command [argument]...
 *
 * An INTERFACE is one of the table below, or the name of a system call.  A
 * seccomp filter answers EPERM, as container profiles do, or another ERROR, as
 * ENOSYS; or it kills the process that asks, if the ERROR is kill.  The
 * environment, a preload among it, is the command's: this program does no AIO.
 *
 * sandboxes.sh has what well-known sandboxes refuse.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "older_libc.h"

#define MAX_CALLS 4

/* Several calls that are refused together. */
static const struct {
	const char *name;
	const char *calls[MAX_CALLS];
} interfaces[] = {
	{ "io_uring", { "io_uring_setup", "io_uring_enter", "io_uring_register" } },
	{ "libaio", { "io_setup", "io_submit", "io_getevents", "io_pgetevents" } },
	{ "getevents", { "io_getevents", "io_pgetevents" } },
	{ "pidfd", { "pidfd_open", "pidfd_getfd", "kcmp" } },
	{ "threads", { "clone", "clone3" } },
	{ "nowait", { "preadv2", "pwritev2" } }, /* which alone take RWF_NOWAIT */
};

/* A call that is refused when its argument of this number, under the mask, is the value. */
static const struct {
	const char *name;
	const char *call;
	unsigned int argument;
	scmp_datum_t mask;
	scmp_datum_t value;
} conditions[] = {
	{ "wipeonfork", "madvise", 2, ~(scmp_datum_t)0, MADV_WIPEONFORK },
	{ "namespaces", "clone", 0, CLONE_NEWNS, CLONE_NEWNS },
	{ "namespaces", "clone", 0, CLONE_NEWCGROUP, CLONE_NEWCGROUP },
	{ "namespaces", "clone", 0, CLONE_NEWUTS, CLONE_NEWUTS },
	{ "namespaces", "clone", 0, CLONE_NEWIPC, CLONE_NEWIPC },
	{ "namespaces", "clone", 0, CLONE_NEWUSER, CLONE_NEWUSER },
	{ "namespaces", "clone", 0, CLONE_NEWPID, CLONE_NEWPID },
	{ "namespaces", "clone", 0, CLONE_NEWNET, CLONE_NEWNET },
};

static scmp_filter_ctx filter;

/* What the filter returns; EPERM where no error is given, SCMP_ACT_ALLOW for an unknown one. */
static uint32_t action_named(const char *name)
{
	if (!name)
		return SCMP_ACT_ERRNO(EPERM);
	if (strcmp(name, "kill") == 0)
		return SCMP_ACT_KILL_PROCESS;
	for (int err = 1; err < 200; err++) {
		const char *known = strerrorname_np(err);

		if (known && strcmp(name, known) == 0)
			return SCMP_ACT_ERRNO((uint32_t)err);
	}
	return SCMP_ACT_ALLOW;
}

/* @call is refused always, or if @nr_conditions is 1, when @condition holds. */
static int refuse_call(const char *call, uint32_t action, unsigned int nr_conditions,
		       const struct scmp_arg_cmp *condition)
{
	int nr = seccomp_syscall_resolve_name(call);
	int err;

	if (nr == __NR_SCMP_ERROR) {
		fprintf(stderr, "refuse: unknown interface %s\n", call);
		return -1;
	}
	err = seccomp_rule_add_array(filter, action, nr, nr_conditions, condition);
	if (err < 0)
		fprintf(stderr, "refuse: %s: %s\n", call, strerror(-err));
	return err;
}

static int refuse_interface(const char *name, uint32_t action)
{
	int nr_refused = 0;

	for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++)
		for (int j = 0; j < MAX_CALLS && interfaces[i].calls[j]; j++) {
			if (strcmp(name, interfaces[i].name) != 0)
				continue;
			if (refuse_call(interfaces[i].calls[j], action, 0, NULL) < 0)
				return -1;
			nr_refused++;
		}
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (strcmp(name, conditions[i].name) != 0)
			continue;
		if (refuse_call(conditions[i].call, action, 1,
				&SCMP_CMP(conditions[i].argument, SCMP_CMP_MASKED_EQ,
					  conditions[i].mask, conditions[i].value)) < 0)
			return -1;
		nr_refused++;
	}
	return nr_refused > 0 ? 0 : refuse_call(name, action, 0, NULL);
}

/* @argument is INTERFACE[=ERROR], and is cut in two. */
static int refuse(char *argument)
{
	char *name = strsep(&argument, "=");
	uint32_t action = action_named(argument);

	if (action == SCMP_ACT_ALLOW) {
		fprintf(stderr, "refuse: %s is not the name of an error\n", argument);
		return -1;
	}
	return refuse_interface(name, action);
}

int main(int argc, char **argv)
{
	int i, err;

	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter) {
		fprintf(stderr, "refuse: libseccomp cannot make a filter\n");
		return 2;
	}
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (refuse(argv[i]) < 0)
			return 2;
	if (i + 1 >= argc) {
		fprintf(stderr, "usage: refuse INTERFACE[=ERROR]... -- command [argument]...\n");
		return 2;
	}
	err = seccomp_load(filter);
	if (err < 0) {
		fprintf(stderr, "refuse: seccomp: %s\n", strerror(-err));
		return 2;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
