// SPDX-License-Identifier: MIT
/*
 * test_fork_unwiped.c - children where the kernel wipes no memory at a fork
 *
 * MADV_WIPEONFORK fails in some sandboxes, and in some emulators it succeeds and does nothing.  A
 * child of fork() uses AIO all the same, also in a handler that pthread_atfork() has installed.
 */
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* madvise(MADV_WIPEONFORK) gives -@err from now on, and does nothing. */
static void refuse_wiping(int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void use_in_child(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		use_aio();
		_exit(0);
	}
	check_child(pid);
}

/* The first round forks after use, the others amid a request. */
static int children_use_aio(void)
{
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	use_aio();
	use_in_child();
	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	for (int i = 0; i < 5; i++)
		use_in_child();
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	use_aio();
	return 0;
}

static int grandchildren_use_aio(void)
{
	pid_t pid;

	use_aio();
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		use_in_child(); /* its parent has not used it */
		use_aio();
		use_in_child();
		_exit(0);
	}
	check_child(pid);
	use_aio();
	return 0;
}

static int handlers_use_aio(void)
{
	check_equal(pthread_atfork(NULL, NULL, use_aio_briefly), 0);
	use_aio();
	use_in_child();
	return 0;
}

static int (*const all_uses[])(void) = { children_use_aio, grandchildren_use_aio,
					 handlers_use_aio };

static int use_unwiped(void *arg)
{
	int (*use)(void) = *(int (**)(void))arg;

	refuse_wiping(EINVAL);
	return use();
}

static int use_unwiped_silently(void *arg)
{
	int (*use)(void) = *(int (**)(void))arg;

	refuse_wiping(0);
	return use();
}

#define TEST_UNWIPED(test, function, index)                                                   \
	static void test(void **state)                                                        \
	{                                                                                     \
		(void)state;                                                                  \
		support_check_child(in_child_with(function, (void *)&all_uses[index], 30000), \
				    #function, __FILE__, __LINE__);                           \
	}

TEST_UNWIPED(test_children_use_aio_where_wiping_fails, use_unwiped, 0)
TEST_UNWIPED(test_children_use_aio_where_nothing_is_wiped, use_unwiped_silently, 0)
TEST_UNWIPED(test_grandchildren_use_aio_where_wiping_fails, use_unwiped, 1)
TEST_UNWIPED(test_grandchildren_use_aio_where_nothing_is_wiped, use_unwiped_silently, 1)
TEST_UNWIPED(test_fork_handlers_use_aio_where_wiping_fails, use_unwiped, 2)
TEST_UNWIPED(test_fork_handlers_use_aio_where_nothing_is_wiped, use_unwiped_silently, 2)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_children_use_aio_where_wiping_fails),
		cmocka_unit_test(test_children_use_aio_where_nothing_is_wiped),
		cmocka_unit_test(test_grandchildren_use_aio_where_wiping_fails),
		cmocka_unit_test(test_grandchildren_use_aio_where_nothing_is_wiped),
		cmocka_unit_test(test_fork_handlers_use_aio_where_wiping_fails),
		cmocka_unit_test(test_fork_handlers_use_aio_where_nothing_is_wiped),
	};

	return cmocka_run_group_tests_name("fork_unwiped", tests, NULL, NULL);
}
