// SPDX-License-Identifier: MIT
/*
 * test_blocked_writes.c - what a program may do while a write to a file blocks
 *
 * It may cancel what waits behind the write, and it may close the descriptor.
 * The close does not wait.  All that was submitted before reaches the file that
 * the descriptor meant then, and requests for the file that has the descriptor
 * next wait for none of it.
 *
 * The memory of the program blocks.
 */
#include "blocked.h"
#include "transparency.h"

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define OTHER_SIZE (16 * SIZE)

static void check_file_is_untouched(int fd)
{
	char *found = malloc(OTHER_SIZE);

	check_equal(lseek(fd, 0, SEEK_END), OTHER_SIZE);
	check_equal(pread(fd, found, OTHER_SIZE, 0), OTHER_SIZE);
	check_pattern(found, 0, OTHER_SIZE);
	free(found);
}

/* ---- what has begun ---- */

static int close_amid_write(void)
{
	int other = temp_file_filled(OTHER_SIZE);
	static struct blocked blocked;

	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	check_equal(dup2(other, blocked.fd), blocked.fd);
	unblock(&blocked, 'w');
	check_file_is(blocked.kept, 'w', 0, SIZE);
	check_file_is_untouched(other);
	return 0;
}

/* ---- what waits ---- */

/* Short ones, which a library may serve by the way, behind the long one. */
static int overlap_with_short_ones(void)
{
	enum { SHORT = 4096 };
	char *before = direct_buffer(SHORT), *after = direct_buffer(SHORT);
	static struct blocked blocked;
	struct aiocb cbs[3];

	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	submit_read(&cbs[0], blocked.fd, before, SHORT, 2 * SHORT);
	submit_write(&cbs[1], blocked.fd, filled_buffer('s'), SHORT, 2 * SHORT);
	submit_read(&cbs[2], blocked.fd, after, SHORT, 2 * SHORT);
	eventually(others_are_asleep());
	unblock(&blocked, 'w');
	for (int i = 0; i < 3; i++)
		check_equal(outcome(&cbs[i]), SHORT);
	check_equal(before[0], 'w');
	check_equal(after[0], 's');
	check_file_is(blocked.kept, 'w', 0, 2 * SHORT);
	check_file_is(blocked.kept, 's', 2 * SHORT, SHORT);
	check_file_is(blocked.kept, 'w', 3 * SHORT, SIZE - 3 * SHORT);
	return 0;
}

/* A library may remember what O_APPEND was when the writes before were submitted. */
static int switch_append_on(void)
{
	static struct blocked blocked;
	int fd = temp_file(0);
	struct aiocb cb;

	for (int i = 0; i < 3; i++) {
		submit_write(&cb, fd, "x", 1, i);
		check_equal(outcome(&cb), 1);
	}
	if (!block_at(&blocked, fd, 0))
		return CHILD_SKIPPED;
	check_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	submit_write(&cb, fd, "a", 1, 2 * SIZE);
	eventually(others_are_asleep());
	unblock(&blocked, 'w');
	check_equal(outcome(&cb), 1);
	check_file_is(blocked.kept, 'w', 0, SIZE);
	check_file_is(blocked.kept, 'a', SIZE, 1);
	return 0;
}

#define NR_BEHIND 4

/* The first overlaps what blocks, the last overlaps the second. */
static void submit_behind(struct aiocb cbs[NR_BEHIND], int fd, off_t offset)
{
	submit_write(&cbs[0], fd, filled_buffer('1'), SIZE, offset + SIZE / 2);
	submit_write(&cbs[1], fd, filled_buffer('2'), SIZE, offset + 2 * SIZE);
	submit_write(&cbs[2], fd, filled_buffer('3'), SIZE, offset + 3 * SIZE);
	submit_write(&cbs[3], fd, filled_buffer('4'), SIZE / 2, offset + 2 * SIZE);
}

static void check_all_arrived(struct blocked *blocked, struct aiocb cbs[NR_BEHIND], off_t offset)
{
	for (int i = 0; i < NR_BEHIND; i++)
		check_equal(outcome(&cbs[i]), i == 3 ? SIZE / 2 : SIZE);
	check_file_is(blocked->kept, 'w', offset, SIZE / 2);
	check_file_is(blocked->kept, '1', offset + SIZE / 2, SIZE);
	check_file_is(blocked->kept, '4', offset + 2 * SIZE, SIZE / 2);
	check_file_is(blocked->kept, '2', offset + 2 * SIZE + SIZE / 2, SIZE / 2);
	check_file_is(blocked->kept, '3', offset + 3 * SIZE, SIZE);
}

static int cancel_writes_behind(void)
{
	static struct blocked blocked;
	static struct aiocb cbs[NR_BEHIND];

	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	submit_behind(cbs, blocked.fd, 0);
	check_equal(aio_cancel(blocked.fd, &cbs[1]), AIO_CANCELED);
	check_equal(aio_error(&cbs[1]), ECANCELED);
	check_equal(aio_cancel(blocked.fd, NULL), AIO_NOTCANCELED);
	for (int i = 0; i < NR_BEHIND; i++)
		check_equal(aio_error(&cbs[i]), ECANCELED);
	unblock(&blocked, 'w');
	check_file_is(blocked.kept, 'w', 0, SIZE);
	check_equal(lseek(blocked.kept, 0, SEEK_END), SIZE);
	return 0;
}

static int close_with_writes_behind(void)
{
	int other = temp_file_filled(OTHER_SIZE);
	static struct blocked blocked;
	static struct aiocb cbs[NR_BEHIND];

	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	submit_behind(cbs, blocked.fd, 0);
	check_equal(dup2(other, blocked.fd), blocked.fd);
	unblock(&blocked, 'w');
	check_all_arrived(&blocked, cbs, 0);
	check_file_is_untouched(other);
	return 0;
}

static void submit_notifying_write(struct aiocb *cb, int fd, const void *buf, size_t size,
				   off_t offset)
{
	aiocb_init(cb, fd, (void *)(uintptr_t)buf, size, offset);
	/* A signal that is ignored unless the program catches it. */
	notify_by_signal(&cb->aio_sigevent, SIGURG, 0);
	check_equal(aio_write(cb), 0);
}

/* Nothing overlaps: the threads that serve them may have them already. */
static int close_with_writes_apart(bool notifies)
{
	int other = temp_file_filled(OTHER_SIZE);
	static struct blocked blocked;
	static struct aiocb cbs[3];

	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	for (int i = 0; i < 3; i++)
		(notifies ? submit_notifying_write : submit_write)(&cbs[i], blocked.fd,
								   filled_buffer('1' + i), SIZE,
								   (i + 1) * SIZE);
	check_equal(dup2(other, blocked.fd), blocked.fd);
	unblock(&blocked, 'w');
	for (int i = 0; i < 3; i++) {
		check_equal(outcome(&cbs[i]), SIZE);
		check_file_is(blocked.kept, '1' + i, (i + 1) * SIZE, SIZE);
	}
	check_file_is(blocked.kept, 'w', 0, SIZE);
	check_file_is_untouched(other);
	return 0;
}

static int close_with_silent_writes(void)
{
	return close_with_writes_apart(false);
}

static int close_with_notifying_writes(void)
{
	return close_with_writes_apart(true);
}

/* The second file blocks as well, and is closed while the first still does. */
static int close_twice(void)
{
	int fd = temp_file(0), other = temp_file_filled(OTHER_SIZE), next = temp_file(0);
	static struct aiocb cbs[2][NR_BEHIND];
	static struct blocked blocked[2];

	if (!block_at(&blocked[0], fd, 0))
		return CHILD_SKIPPED;
	submit_behind(cbs[0], fd, 0);
	check_equal(dup2(next, fd), fd);
	check(block_at(&blocked[1], fd, 8 * SIZE));
	submit_behind(cbs[1], fd, 8 * SIZE);
	check_equal(dup2(other, fd), fd);
	for (int i = 1; i >= 0; i--) {
		unblock(&blocked[i], 'w');
		check_all_arrived(&blocked[i], cbs[i], i * 8 * SIZE);
	}
	check_equal(lseek(blocked[0].kept, 0, SEEK_END), 4 * SIZE);
	check_file_is_untouched(other);
	return 0;
}

/* ---- what comes for the next file ---- */

/* The blocked one is the last of a range, which begins with one that nobody uses. */
static void replace_by_range(int other, int fd)
{
	if (close_range((unsigned int)fd - 1, (unsigned int)fd, 0) < 0) {
		check_equal(errno, ENOSYS);
		check_equal(close(fd), 0);
	}
	check_equal(dup2(other, fd), fd);
}

static int use_next_file_by(bool is_range)
{
	int other = temp_file_filled(OTHER_SIZE);
	char *buf = filled_buffer('n');
	static struct blocked blocked;
	static struct aiocb cbs[NR_BEHIND];
	struct aiocb cb;

	if (!block_at(&blocked, fcntl(temp_file(0), F_DUPFD, 301), 0))
		return CHILD_SKIPPED;
	submit_behind(cbs, blocked.fd, 0);
	if (is_range)
		replace_by_range(other, blocked.fd);
	else
		check_equal(dup2(other, blocked.fd), blocked.fd);
	submit_write(&cb, blocked.fd, buf, SIZE, 0);
	check_equal(outcome(&cb), SIZE);
	submit_read(&cb, blocked.fd, buf, SIZE, SIZE);
	check_equal(outcome(&cb), SIZE);
	check_pattern(buf, SIZE, SIZE);
	aiocb_init(&cb, blocked.fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	check_equal(aio_error(&blocked.cb), EINPROGRESS);
	check(aio_cancel(blocked.fd, NULL) != AIO_CANCELED);
	unblock(&blocked, 'w');
	check_all_arrived(&blocked, cbs, 0);
	check_file_is(other, 'n', 0, SIZE);
	return 0;
}

static int use_next_file(void)
{
	return use_next_file_by(false);
}

static int use_next_file_of_range(void)
{
	return use_next_file_by(true);
}

/* ---- where a close has to wait after all ---- */

/* Nobody can get at the file but by its descriptor: no other table, no other descriptor. */
static void forbid_duplicates(void)
{
	struct rlimit limit = { 500, 500 };

	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	forbid_call(SYS_close_range);
}

static atomic_bool has_handled;
static atomic_int closer_tid;

static void note_signal(int signo)
{
	(void)signo;
	atomic_store(&has_handled, true);
}

static void *close_and_linger(void *arg)
{
	atomic_store(&closer_tid, gettid());
	check_equal(close(*(int *)arg), 0);
	eventually(atomic_load(&has_handled));
	return NULL;
}

static int signal_waiting_close(void)
{
	static struct blocked blocked;
	static struct aiocb cbs[NR_BEHIND];
	pthread_t closer;

	forbid_duplicates();
	if (!block_at(&blocked, temp_file(0), 0))
		return CHILD_SKIPPED;
	submit_behind(cbs, blocked.fd, 0);
	handle_signal(SIGUSR1, note_signal, SA_RESTART);
	closer = start_thread(close_and_linger, &blocked.fd);
	eventually(atomic_load(&closer_tid) && thread_sleeps(atomic_load(&closer_tid)));
	check_equal(pthread_kill(closer, SIGUSR1), 0);
	eventually(atomic_load(&has_handled));
	unblock(&blocked, 'w');
	join_thread(closer);
	for (int i = 0; i < NR_BEHIND; i++)
		outcome(&cbs[i]);
	return 0;
}

/* ---- both ways ---- */

TEST_BLOCKED(test_close_does_not_wait_for_a_write_that_blocks, close_amid_write)
TEST_BLOCKED(test_short_requests_follow_a_write_that_blocks, overlap_with_short_ones)
TEST_BLOCKED(test_append_follows_a_write_that_blocks, switch_append_on)
TEST_BLOCKED(test_writes_behind_one_that_blocks_can_be_cancelled, cancel_writes_behind)
TEST_BLOCKED(test_writes_behind_one_that_blocks_reach_their_file, close_with_writes_behind)
TEST_BLOCKED(test_silent_writes_apart_reach_their_file, close_with_silent_writes)
TEST_BLOCKED(test_notifying_writes_apart_reach_their_file, close_with_notifying_writes)
TEST_BLOCKED(test_writes_reach_their_files_when_two_are_closed, close_twice)
TEST_BLOCKED(test_next_file_does_not_wait_for_a_write_that_blocks, use_next_file)
TEST_BLOCKED(test_next_file_of_a_range_does_not_wait, use_next_file_of_range)
TEST_BLOCKED(test_handler_runs_while_close_waits, signal_waiting_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_does_not_wait_for_a_write_that_blocks),
		cmocka_unit_test(test_short_requests_follow_a_write_that_blocks),
		cmocka_unit_test(test_append_follows_a_write_that_blocks),
		cmocka_unit_test(test_writes_behind_one_that_blocks_can_be_cancelled),
		cmocka_unit_test(test_writes_behind_one_that_blocks_reach_their_file),
		cmocka_unit_test(test_silent_writes_apart_reach_their_file),
		cmocka_unit_test(test_notifying_writes_apart_reach_their_file),
		cmocka_unit_test(test_writes_reach_their_files_when_two_are_closed),
		cmocka_unit_test(test_next_file_does_not_wait_for_a_write_that_blocks),
		cmocka_unit_test(test_next_file_of_a_range_does_not_wait),
		cmocka_unit_test(test_handler_runs_while_close_waits),
	};

	return cmocka_run_group_tests_name("blocked_writes", tests, NULL, NULL);
}
