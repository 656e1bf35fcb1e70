// SPDX-License-Identifier: MIT
/*
 * blocked.c - the contract is in blocked.h
 */
#include "blocked.h"

#include "transparency.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>

bool block_at(struct blocked *blocked, int fd, off_t offset)
{
	if (!gate_make(&blocked->gate, SIZE))
		return false;
	blocked->fd = fd;
	blocked->kept = reopen(fd, O_RDWR);
	submit_write(&blocked->cb, fd, blocked->gate.memory, SIZE, offset);
	gate_await(&blocked->gate);
	return true;
}

void unblock(struct blocked *blocked, int value)
{
	gate_open(&blocked->gate, value);
	check_equal(outcome(&blocked->cb), SIZE);
}

static bool make_idle_helpers(void)
{
	static struct blocked blocked[3];
	int nr = 0;

	while (nr < 3 && block_at(&blocked[nr], temp_file(0), 0))
		nr++;
	for (int i = 0; i < nr; i++)
		unblock(&blocked[i], 'x');
	return nr == 3;
}

char *filled_buffer(int value)
{
	char *buf = direct_buffer(SIZE);

	memset(buf, value, SIZE);
	return buf;
}

void check_file_is(int fd, int value, off_t offset, size_t size)
{
	char *found = malloc(size);

	check_equal(pread(fd, found, size, offset), size);
	for (size_t i = 0; i < size; i++)
		check_equal(found[i], value);
	free(found);
}

void filter_calls(struct sock_filter *filter, size_t nr)
{
	struct sock_fprog program = { .len = (unsigned short)nr, .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

void forbid_call(unsigned int nr)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter_calls(filter, sizeof(filter) / sizeof(filter[0]));
}

int run_with_idle_helpers(void *arg)
{
	return make_idle_helpers() ? (*(int (**)(void))arg)() : CHILD_SKIPPED;
}
