// SPDX-License-Identifier: MIT
/*
 * test_first_together.c - two threads use AIO first at the same time
 *
 * The one that begins is held in the call by which it looks for the number of the process,
 * until the other sleeps.  Where no such call is made, there is nothing to wait for.
 */
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int listener, fd;
static atomic_int nr_done;
static _Atomic pid_t second_tid;

/* In all threads to come.  False: not on this machine. */
static bool hold_getpid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		printf("no notifications of seccomp here");
	return listener >= 0;
}

static bool has_call(void)
{
	struct pollfd event = { .fd = listener, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

static void let_call_go_on(void)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp response;

	memset(&call, 0, sizeof(call));
	check_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
	response = (struct seccomp_notif_resp){ .id = call.id,
						.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	check_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
}

static void *read_in_thread(void *tid)
{
	struct aiocb cb;
	char byte;

	if (tid)
		atomic_store((_Atomic pid_t *)tid, gettid());
	submit_read(&cb, fd, &byte, 1, 0);
	check_equal(outcome(&cb), 1);
	atomic_fetch_add(&nr_done, 1);
	return NULL;
}

static bool has_ended(int nr)
{
	while (has_call())
		let_call_go_on();
	return atomic_load(&nr_done) >= nr;
}

static int use_together(void)
{
	pthread_t threads[2];

	fd = temp_file_filled(4096);
	if (!hold_getpid())
		return CHILD_SKIPPED;
	threads[0] = start_thread(read_in_thread, NULL);
	eventually(has_call() || atomic_load(&nr_done) > 0);
	threads[1] = start_thread(read_in_thread, &second_tid);
	eventually(atomic_load(&second_tid) != 0);
	eventually(thread_sleeps(second_tid) || atomic_load(&nr_done) > 0);
	eventually(has_ended(2));
	for (int i = 0; i < 2; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_OR_SKIP(test_first_use_of_two_threads_is_one, use_together, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_use_of_two_threads_is_one),
	};

	return cmocka_run_group_tests_name("first_together", tests, NULL, NULL);
}
