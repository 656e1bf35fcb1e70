// SPDX-License-Identifier: MIT
/*
 * refuse.c - run a command in a sandbox that refuses kernel interfaces
 *
 *   refuse INTERFACE[=ERROR]... -- command [argument]...
 *
 * An INTERFACE is one of the table below.  A seccomp filter answers EPERM, as
 * container profiles do, or another ERROR, as ENOSYS; or it kills the process
 * that asks, if the ERROR is kill.  The environment, a
 * preload among it, is the command's: this program does no AIO.
 *
 * run.sh has the interfaces that well-known sandboxes refuse.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "older_libc.h"

static const struct {
	const char *name;
	int calls[4];
} interfaces[] = {
	{ "io_uring", { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, -1 } },
	{ "io_uring_setup", { SYS_io_uring_setup, -1, -1, -1 } },
	{ "io_uring_enter", { SYS_io_uring_enter, -1, -1, -1 } },
	{ "io_uring_register", { SYS_io_uring_register, -1, -1, -1 } },
	{ "libaio", { SYS_io_setup, SYS_io_submit, SYS_io_getevents, SYS_io_pgetevents } },
	{ "io_setup", { SYS_io_setup, -1, -1, -1 } },
	{ "io_submit", { SYS_io_submit, -1, -1, -1 } },
	{ "io_getevents", { SYS_io_getevents, SYS_io_pgetevents, -1, -1 } },
	{ "pidfd", { SYS_pidfd_open, SYS_pidfd_getfd, SYS_kcmp, -1 } },
	{ "pidfd_getfd", { SYS_pidfd_getfd, -1, -1, -1 } },
	{ "kcmp", { SYS_kcmp, -1, -1, -1 } },
	{ "clone", { SYS_clone, SYS_clone3, -1, -1 } },
	{ "clone3", { SYS_clone3, -1, -1, -1 } },
	{ "process_vm_readv", { SYS_process_vm_readv, -1, -1, -1 } },
	{ "statx", { SYS_statx, -1, -1, -1 } }, /* which old profiles do not know */
	{ "preadv", { SYS_preadv, -1, -1, -1 } },
	{ "nowait", { SYS_preadv2, SYS_pwritev2, -1, -1 } }, /* which alone take RWF_NOWAIT */
	{ "wipeonfork", { SYS_madvise, -1, -1, -1 } },       /* only with MADV_WIPEONFORK */
};

static struct sock_filter filter[128] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};
static unsigned short filter_len = 1;

static void add(struct sock_filter statement)
{
	filter[filter_len++] = statement;
}

#define NO_ANSWER 0xffffffffu

/* What the filter returns; EPERM where no error is given. */
static unsigned int answer_named(const char *name)
{
	if (!name)
		return SECCOMP_RET_ERRNO | EPERM;
	if (strcmp(name, "kill") == 0)
		return SECCOMP_RET_KILL_PROCESS;
	for (int err = 1; err < 200; err++) {
		const char *known = strerrorname_np(err);

		if (known && strcmp(name, known) == 0)
			return SECCOMP_RET_ERRNO | (unsigned int)err;
	}
	return NO_ANSWER;
}

/* Of madvise only one advice: the others are allowed. */
static void allow_other_advice(void)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 4));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, args[2])));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 1, 0));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
}

static void refuse_calls(const int calls[4], unsigned int answer)
{
	if (calls[0] == SYS_madvise)
		allow_other_advice();
	for (int i = 0; i < 4 && calls[i] >= 0; i++) {
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)calls[i],
						 0, 1));
		add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
	}
}

/* @argument is INTERFACE[=ERROR], and is cut in two. */
static int refuse(char *argument)
{
	char *name = strsep(&argument, "=");
	unsigned int answer = answer_named(argument);

	if (answer == NO_ANSWER) {
		fprintf(stderr, "refuse: %s is not the name of an error\n", argument);
		return -1;
	}
	for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
		if (strcmp(name, interfaces[i].name) != 0)
			continue;
		refuse_calls(interfaces[i].calls, answer);
		return 0;
	}
	fprintf(stderr, "refuse: unknown interface %s\n", name);
	return -1;
}

int main(int argc, char **argv)
{
	struct sock_fprog program = { .filter = filter };
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (refuse(argv[i]) < 0)
			return 2;
	if (i + 1 >= argc) {
		fprintf(stderr, "usage: refuse INTERFACE[=ERROR]... -- command [argument]...\n");
		return 2;
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = filter_len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("refuse: seccomp");
		return 2;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
