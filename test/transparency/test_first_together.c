// SPDX-License-Identifier: MIT
/*
 * test_first_together.c - two threads use AIO first at the same time
 *
 * The first one is held in getpid until the second one sleeps.  A library that does not call it
 * there has nothing to wait for.
 */
#include "held_calls.h"
#include "transparency.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static int fd;
static atomic_int nr_done;
static _Atomic pid_t second_tid;

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
	struct seccomp_notif call;

	while (held_calls_has_one()) {
		held_calls_take(&call);
		held_calls_let_go_on(&call);
	}
	return atomic_load(&nr_done) >= nr;
}

static int use_together(void)
{
	pthread_t threads[2];

	fd = temp_file_filled(4096);
	if (!held_calls_begin(SYS_getpid, SYS_getpid))
		return CHILD_SKIPPED;
	threads[0] = start_thread(read_in_thread, NULL);
	eventually(held_calls_has_one() || atomic_load(&nr_done) > 0);
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
