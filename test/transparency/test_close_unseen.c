// SPDX-License-Identifier: MIT
/*
 * test_close_unseen.c - a close that cannot see whether a worker has begun its call
 *
 * The library looks by a thread with a descriptor table of its own.  Here a filter refuses that
 * table. The worker is about to write to the file that is being closed.
 */
#include "blocked.h"
#include "held_calls.h"
#include "transparency.h"

#include <stdatomic.h>
#include <sys/syscall.h>

#define NR_NAPS 100 /* some 100 ms: on a busy processor a thread may wait for so long */

static int fd, other;
static atomic_bool is_closed;

static void *replace(void *arg)
{
	(void)arg;
	check_equal(dup2(other, fd), fd);
	atomic_store(&is_closed, true);
	return NULL;
}

/* The thread that closes sleeps before it looks again. */
static void await_nap(void)
{
	struct seccomp_notif nap;

	eventually(held_calls_has_one() || atomic_load(&is_closed));
	if (atomic_load(&is_closed))
		return;
	held_calls_take(&nap);
	held_calls_let_go_on(&nap);
}

static int close_before_late_write(void)
{
	struct seccomp_notif call;
	struct aiocb cb;
	pthread_t closer;
	int kept;

	fd = temp_file(0);
	kept = reopen(fd, O_RDWR);
	other = temp_file(0);
	forbid_call(SYS_close_range);
	if (!held_calls_begin(SYS_pwrite64, SYS_nanosleep))
		return CHILD_SKIPPED;
	submit_write(&cb, fd, filled_buffer('w'), SIZE, 0);
	eventually(held_calls_has_one() || aio_error(&cb) != EINPROGRESS);
	if (!held_calls_has_one()) {
		printf("no thread writes to this file");
		return CHILD_SKIPPED;
	}
	held_calls_take(&call);
	closer = start_thread(replace, NULL);
	for (int i = 0; i < NR_NAPS; i++)
		await_nap();
	held_calls_let_go_on(&call);
	while (!atomic_load(&is_closed))
		await_nap();
	join_thread(closer);
	check_equal(outcome(&cb), SIZE);
	check_file_is(kept, 'w', 0, SIZE);
	check_equal(lseek(other, 0, SEEK_END), 0);
	return 0;
}

TEST_OR_SKIP(test_late_write_reaches_the_file_that_is_closed, close_before_late_write, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_write_reaches_the_file_that_is_closed),
	};

	return cmocka_run_group_tests_name("close_unseen", tests, NULL, NULL);
}
