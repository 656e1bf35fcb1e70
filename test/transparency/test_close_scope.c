// SPDX-License-Identifier: MIT
/*
 * test_close_scope.c - calls that close nothing here leave requests alone
 *
 * close() and its kin end what waits for an fd.  They do so only for what they
 * close: not when they fail, and not in a thread that has a table of fds of its
 * own, where they close a copy.
 */
#include "transparency.h"

#include <sched.h>
#include <sys/socket.h>

#define NR_REQUESTS 4

/* ---- reads that wait behind a blocked one ---- */

static int stream[2];
static struct aiocb cbs[NR_REQUESTS];
static char bytes[NR_REQUESTS];

static void queue_reads(void)
{
	open_pipe(stream);
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], stream[0], &bytes[i], 1, 0);
}

static void check_reads_go_on(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		check_equal(aio_error(&cbs[i]), EINPROGRESS);
	write_fully(stream[1], "0123", NR_REQUESTS);
	for (int i = 0; i < NR_REQUESTS; i++) {
		check_equal(outcome(&cbs[i]), 1);
		check_equal(bytes[i], '0' + i);
	}
}

/* ---- calls that fail ---- */

#define BAD_FLAG 0x40000000

static int give_dup3_bad_flags(void)
{
	queue_reads();
	check_equal(dup3(stream[1], stream[0], BAD_FLAG), -1);
	check_equal(errno, EINVAL);
	check_reads_go_on();
	return 0;
}

static int give_close_range_bad_flags(void)
{
	unsigned int fd;

	queue_reads();
	fd = (unsigned int)stream[0];
	check_equal(close_range(fd, fd, BAD_FLAG), -1);
	check_equal(errno, EINVAL);
	check_reads_go_on();
	return 0;
}

static int give_close_range_an_inverted_range(void)
{
	queue_reads();
	check_equal(close_range((unsigned int)stream[0], (unsigned int)stream[0] - 1, 0), -1);
	check_equal(errno, EINVAL);
	check_reads_go_on();
	return 0;
}

/* The fd was opened before the limit was lowered. */
static int dup_above_the_limit(int (*dup_to)(int old, int new))
{
	queue_reads();
	set_soft_limit(RLIMIT_NOFILE, (rlim_t)stream[0]);
	check_equal(dup_to(0, stream[0]), -1);
	check_equal(errno, EBADF);
	check_reads_go_on();
	return 0;
}

static int dup3_to(int old, int new)
{
	return dup3(old, new, O_CLOEXEC);
}

static int dup2_above_the_limit(void)
{
	return dup_above_the_limit(dup2);
}

static int dup3_above_the_limit(void)
{
	return dup_above_the_limit(dup3_to);
}

static int dup2_of_a_bad_fd(void)
{
	queue_reads();
	check_equal(dup2(-1, stream[0]), -1);
	check_equal(errno, EBADF);
	check_reads_go_on();
	return 0;
}

/* Onto itself: dup2 does nothing, dup3 fails. */
static int dup_onto_itself(void)
{
	queue_reads();
	check_equal(dup2(stream[0], stream[0]), stream[0]);
	check_equal(dup3(stream[0], stream[0], 0), -1);
	check_equal(errno, EINVAL);
	check_reads_go_on();
	return 0;
}

/* Nothing is closed but by an exec. */
static int mark_to_be_closed_by_exec(void)
{
	unsigned int fd;

	queue_reads();
	fd = (unsigned int)stream[0];
	if (close_range(fd, fd, CLOSE_RANGE_CLOEXEC) < 0 && errno == EINVAL) {
		printf("no CLOSE_RANGE_CLOEXEC before Linux 5.11\n");
		return CHILD_SKIPPED;
	}
	check_reads_go_on();
	return 0;
}

TEST_IN_CHILD(test_dup3_with_bad_flags_cancels_nothing, give_dup3_bad_flags, 20000)
TEST_IN_CHILD(test_close_range_with_bad_flags_cancels_nothing, give_close_range_bad_flags, 20000)
TEST_IN_CHILD(test_close_range_of_an_inverted_range_cancels_nothing,
	      give_close_range_an_inverted_range, 20000)
TEST_IN_CHILD(test_dup2_above_the_limit_cancels_nothing, dup2_above_the_limit, 20000)
TEST_IN_CHILD(test_dup3_above_the_limit_cancels_nothing, dup3_above_the_limit, 20000)
TEST_IN_CHILD(test_dup2_of_a_bad_fd_cancels_nothing, dup2_of_a_bad_fd, 20000)
TEST_IN_CHILD(test_dup_onto_itself_cancels_nothing, dup_onto_itself, 20000)
TEST_OR_SKIP(test_close_range_for_exec_cancels_nothing, mark_to_be_closed_by_exec, 20000)

/* ---- a thread with a table of its own ---- */

static void close_one(void)
{
	check_equal(close(stream[0]), 0);
}

static void close_by_dup2(void)
{
	check_equal(dup2(0, stream[0]), stream[0]);
}

static void close_by_dup3(void)
{
	check_equal(dup3(0, stream[0], O_CLOEXEC), stream[0]);
}

static void close_by_range(void)
{
	check_equal(close_range((unsigned int)stream[0], (unsigned int)stream[0], 0), 0);
}

static void close_by_closefrom(void)
{
	closefrom(stream[0]);
}

static void close_by_fclose(void)
{
	FILE *file = fdopen(stream[0], "r");

	check(file != NULL);
	check_equal(fclose(file), 0);
}

typedef void close_fn(void);

static void *close_copy(void *close_it)
{
	check_equal(unshare(CLONE_FILES), 0);
	((close_fn *)close_it)();
	return NULL;
}

static int close_in_own_table(void *close_it)
{
	queue_reads();
	join_thread(start_thread(close_copy, close_it));
	check_reads_go_on();
	return 0;
}

/* A sandbox or a spawning thread empties its table in one step. */
static void *leave_table(void *arg)
{
	(void)arg;
	check_equal(close_range(3, ~0u, CLOSE_RANGE_UNSHARE), 0);
	check_equal(fcntl(stream[0], F_GETFD), -1);
	return NULL;
}

static int leave_table_in_a_thread(void)
{
	queue_reads();
	join_thread(start_thread(leave_table, NULL));
	check_reads_go_on();
	return 0;
}

/* Its memory is the parent's, but its table is a copy. */
static int close_in_vfork_child(void)
{
	pid_t pid;

	queue_reads();
	pid = vfork();
	if (!pid) {
		close(stream[0]);
		_exit(0);
	}
	check_child(pid);
	check_reads_go_on();
	return 0;
}

#define TEST_OWN_TABLE(name, close_it)                                                            \
	static void test_##name##_in_a_table_of_its_own_cancels_nothing(void **state)             \
	{                                                                                         \
		(void)state;                                                                      \
		support_check_child(in_child_with(close_in_own_table, (void *)(close_it), 20000), \
				    #close_it, __FILE__, __LINE__);                               \
	}

TEST_OWN_TABLE(close, close_one)
TEST_OWN_TABLE(dup2, close_by_dup2)
TEST_OWN_TABLE(dup3, close_by_dup3)
TEST_OWN_TABLE(close_range, close_by_range)
TEST_OWN_TABLE(closefrom, close_by_closefrom)
TEST_OWN_TABLE(fclose, close_by_fclose)
TEST_IN_CHILD(test_leaving_the_table_by_close_range_cancels_nothing, leave_table_in_a_thread, 20000)
TEST_IN_CHILD(test_close_in_a_vfork_child_cancels_nothing, close_in_vfork_child, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dup3_with_bad_flags_cancels_nothing),
		cmocka_unit_test(test_close_range_with_bad_flags_cancels_nothing),
		cmocka_unit_test(test_close_range_of_an_inverted_range_cancels_nothing),
		cmocka_unit_test(test_dup2_above_the_limit_cancels_nothing),
		cmocka_unit_test(test_dup3_above_the_limit_cancels_nothing),
		cmocka_unit_test(test_dup2_of_a_bad_fd_cancels_nothing),
		cmocka_unit_test(test_dup_onto_itself_cancels_nothing),
		cmocka_unit_test(test_close_range_for_exec_cancels_nothing),
		cmocka_unit_test(test_close_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_dup2_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_dup3_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_close_range_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_closefrom_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_fclose_in_a_table_of_its_own_cancels_nothing),
		cmocka_unit_test(test_leaving_the_table_by_close_range_cancels_nothing),
		cmocka_unit_test(test_close_in_a_vfork_child_cancels_nothing),
	};

	return cmocka_run_group_tests_name("close_scope", tests, NULL, NULL);
}
