// SPDX-License-Identifier: MIT
/*
 * test_sync_kinds.c - aio_fsync with O_SYNC is fsync, with O_DSYNC fdatasync
 *
 * A sandbox that refuses one of the two calls tells them apart: a request for
 * the other one never fails.  One for the refused call fails with the error of
 * the sandbox, or succeeds where the kernel does it without a call.
 */
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NR_WRITES 8
#define BLOCK     4096

/* In all threads, of which there is only this one. */
static void refuse(unsigned int nr)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDQUOT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static ssize_t sync_file(int op, int fd, bool is_notified)
{
	static struct aiocb cb;

	aiocb_init(&cb, fd, NULL, 0, 0);
	if (is_notified)
		notify_by_signal(&cb.aio_sigevent, SIGURG, 1); /* ignored by default */
	check_equal(aio_fsync(op, &cb), 0);
	return outcome(&cb);
}

/* By glibc's opcodes, which <aio.h> does not tell. */
static ssize_t sync_in_list(int op, int fd)
{
	static struct aiocb cb;
	static struct aiocb *list[] = { &cb };

	aiocb_init_lio(&cb, op == O_DSYNC ? LIO_NOP + 1 : LIO_NOP + 2, fd, NULL, 0, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
	return outcome(&cb);
}

/* Behind writes, which it has to wait for. */
static ssize_t sync_behind_writes(int op, int fd)
{
	static struct aiocb cbs[NR_WRITES], sync;
	static char buf[BLOCK];
	ssize_t res;

	for (int i = 0; i < NR_WRITES; i++)
		submit_write(&cbs[i], fd, buf, BLOCK, i * BLOCK);
	aiocb_init(&sync, fd, NULL, 0, 0);
	check_equal(aio_fsync(op, &sync), 0);
	res = outcome(&sync);
	for (int i = 0; i < NR_WRITES; i++)
		check_equal(outcome(&cbs[i]), BLOCK);
	return res;
}

#define NR_WAYS 4

static void sync_all_ways(int op, int fd, ssize_t results[NR_WAYS])
{
	results[0] = sync_file(op, fd, false);
	results[1] = sync_file(op, fd, true);
	results[2] = sync_behind_writes(op, fd);
	results[3] = sync_in_list(op, fd);
}

static void sync_with(int allowed, int refused, unsigned int nr)
{
	ssize_t results[NR_WAYS];
	int fd = temp_file_filled(NR_WRITES * BLOCK);

	refuse(nr);
	for (int round = 0; round < 10; round++) {
		sync_all_ways(allowed, fd, results);
		for (int i = 0; i < NR_WAYS; i++)
			check_equal(results[i], 0);
		sync_all_ways(refused, fd, results);
		for (int i = 0; i < NR_WAYS; i++)
			check(results[i] == 0 || results[i] == -EDQUOT);
	}
}

static int refuse_fdatasync(void)
{
	sync_with(O_SYNC, O_DSYNC, SYS_fdatasync);
	return 0;
}

static int refuse_fsync(void)
{
	sync_with(O_DSYNC, O_SYNC, SYS_fsync);
	return 0;
}

TEST_IN_CHILD(test_sync_of_all_does_not_call_fdatasync, refuse_fdatasync, 30000)
TEST_IN_CHILD(test_sync_of_the_data_does_not_call_fsync, refuse_fsync, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync_of_all_does_not_call_fdatasync),
		cmocka_unit_test(test_sync_of_the_data_does_not_call_fsync),
	};

	return cmocka_run_group_tests_name("sync_kinds", tests, NULL, NULL);
}
