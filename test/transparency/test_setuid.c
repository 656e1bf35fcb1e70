// SPDX-License-Identifier: MIT
/*
 * test_setuid.c - a change of the user or groups while others cancel and close
 *
 * libc makes every thread take part in setuid() and its kin: it sends each a
 * signal and waits for the answer, with the lock held that the creation of a
 * thread needs.  A call that sleeps with this signal blocked stops all that.
 */
#include "sockets.h"
#include "transparency.h"

#include <grp.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define NR_ROUNDS 100

static atomic_bool is_over;
static atomic_uint nr_changes;

/* ---- to the same users and groups as before, which needs no privilege ---- */

static void set_user(void)
{
	check_equal(setuid(getuid()), 0);
}

static void set_effective_user(void)
{
	check_equal(seteuid(geteuid()), 0);
}

static void set_all_groups(void)
{
	check_equal(setgroups(0, NULL), 0);
}

static void *change_again_and_again(void *change)
{
	while (!atomic_load(&is_over)) {
		((void (*)(void))change)();
		atomic_fetch_add(&nr_changes, 1);
	}
	return NULL;
}

/* ---- calls that may wait for an answer, while a thread is being made for the read ---- */

/* The read may stay blocked: nobody looks at it again. */
static int begin_read(int round)
{
	static struct aiocb cbs[NR_ROUNDS];
	static char bytes[NR_ROUNDS];
	int fds[2];

	open_timed_socket(fds);
	submit_read(&cbs[round], fds[0], &bytes[round], 1, 0);
	return fds[0];
}

static void cancel_it(int round)
{
	check(aio_cancel(begin_read(round), NULL) >= 0);
}

static void close_it(int round)
{
	check_equal(close(begin_read(round)), 0);
}

static void dup2_over_it(int round)
{
	int fd = begin_read(round);

	check_equal(dup2(STDIN_FILENO, fd), fd);
	check_equal(close(fd), 0);
}

static void *call_again_and_again(void *call)
{
	eventually(atomic_load(&nr_changes) > 0);
	for (int i = 0; i < NR_ROUNDS; i++)
		((void (*)(int))call)(i);
	return NULL;
}

/* Two for each round, whose other end stays open. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int change_amid(void (*change)(void), void (*call)(int round))
{
	pthread_t changing, calling;

	raise_fd_limit();
	changing = start_thread(change_again_and_again, (void *)change);
	calling = start_thread(call_again_and_again, (void *)call);
	join_thread(calling);
	atomic_store(&is_over, true);
	join_thread(changing);
	return 0;
}

#define TEST_CHANGE(change, call)                 \
	static int change##_amid_##call(void)     \
	{                                         \
		return change_amid(change, call); \
	}                                         \
	TEST_IN_CHILD(test_##change##_amid_##call, change##_amid_##call, 60000)

TEST_CHANGE(set_user, cancel_it)
TEST_CHANGE(set_user, close_it)
TEST_CHANGE(set_user, dup2_over_it)
TEST_CHANGE(set_effective_user, cancel_it)
TEST_CHANGE(set_effective_user, close_it)

static int set_all_groups_amid_cancel_it(void)
{
	if (geteuid()) {
		printf("only root may set groups");
		return CHILD_SKIPPED;
	}
	return change_amid(set_all_groups, cancel_it);
}

TEST_OR_SKIP(test_set_all_groups_amid_cancel_it, set_all_groups_amid_cancel_it, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_user_amid_cancel_it),
		cmocka_unit_test(test_set_user_amid_close_it),
		cmocka_unit_test(test_set_user_amid_dup2_over_it),
		cmocka_unit_test(test_set_effective_user_amid_cancel_it),
		cmocka_unit_test(test_set_effective_user_amid_close_it),
		cmocka_unit_test(test_set_all_groups_amid_cancel_it),
	};

	return cmocka_run_group_tests_name("setuid", tests, NULL, NULL);
}
