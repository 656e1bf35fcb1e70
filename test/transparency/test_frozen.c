// SPDX-License-Identifier: MIT
/*
 * test_frozen.c - calls on files whose server does not answer
 *
 * A request may hang for as long as a server is away or a disk is stuck.  The
 * program's calls must not: only a thread that waits for that request waits with it.
 */
#include "served.h"
#include "sockets.h"

#define SIZE    4096
#define NR_MANY 40

static int held;

static bool start_held_with(const char *name, int flags)
{
	if (!served_start())
		return false;
	held = served_open(name, O_RDWR | flags);
	return true;
}

static bool start_held(const char *name)
{
	return start_held_with(name, 0);
}

/* ---- one request that hangs ---- */

static struct aiocb stuck;
static char buf[SIZE];

static void hang_in_read(void)
{
	submit_read(&stuck, held, buf, SIZE, 0);
}

static void hang_in_write(void)
{
	submit_write(&stuck, held, buf, SIZE, 0);
}

static void hang_in_sync(void)
{
	aiocb_init(&stuck, held, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &stuck), 0);
}

/* ---- what must return all the same ---- */

static void *close_it(void *arg)
{
	(void)arg;
	check_equal(close(held), 0);
	return NULL;
}

static void *dup2_over_it(void *arg)
{
	(void)arg;
	check_equal(dup2(STDIN_FILENO, held), held);
	return NULL;
}

static void *cancel_it(void *arg)
{
	(void)arg;
	check_equal(aio_cancel(held, &stuck), AIO_NOTCANCELED);
	check_equal(aio_cancel(held, NULL), AIO_NOTCANCELED);
	check_equal(aio_error(&stuck), EINPROGRESS);
	return NULL;
}

struct meeting {
	const char *name;
	void (*hang)(void);
	void *(*call)(void *arg);
};

/* It has begun when the server has it; and what has begun goes on after a close. */
static int meet(void *arg)
{
	const struct meeting *meeting = arg;

	if (meeting->call != cancel_it && meeting->hang != hang_in_read && !served_may_close())
		return CHILD_SKIPPED;
	if (!start_held(meeting->name))
		return CHILD_SKIPPED;
	meeting->hang();
	eventually(served_nr_held() == 1);
	join_thread(start_thread(meeting->call, NULL));
	check_equal(aio_error(&stuck), EINPROGRESS);
	served_release();
	check_equal(outcome(&stuck), stuck.aio_nbytes);
	return 0;
}

static void meet_on(const char *name, void (*hang)(void), void *(*call)(void *arg))
{
	struct meeting meeting = { name, hang, call };

	support_check_or_skip_child(in_child_with(meet, &meeting, 30000), name, __FILE__, __LINE__);
}

#define TEST_MEETING(name, call, request)                                         \
	static void test_##name##_returns_while_a_##request##_hangs(void **state) \
	{                                                                         \
		(void)state;                                                      \
		meet_on("held-cached", hang_in_##request, call);                  \
		meet_on("held", hang_in_##request, call);                         \
	}

TEST_MEETING(close, close_it, read)
TEST_MEETING(close, close_it, write)
TEST_MEETING(close, close_it, sync)
TEST_MEETING(dup2, dup2_over_it, read)
TEST_MEETING(dup2, dup2_over_it, write)
TEST_MEETING(aio_cancel, cancel_it, read)
TEST_MEETING(aio_cancel, cancel_it, write)
TEST_MEETING(aio_cancel, cancel_it, sync)

/* ---- many on one fd, of which most have not begun ---- */

static struct aiocb many[NR_MANY];
static char many_bufs[NR_MANY][SIZE];

static void hang_in_many(void)
{
	for (int i = 0; i < NR_MANY; i++)
		submit_read(&many[i], held, many_bufs[i], SIZE, i * SIZE);
	eventually(served_nr_held() > 0 && nobody_else_runs());
}

/* The requests are released in the end, since a search for leaks waits for threads that hang. */
static int close_under_many(void)
{
	if (!start_held("held-cached"))
		return CHILD_SKIPPED;
	hang_in_many();
	join_thread(start_thread(close_it, NULL));
	served_release();
	return 0;
}

/* To hand a request to a thread is not to begin it. */
static int cancel_many(void)
{
	unsigned int nr_kept = 0;

	if (!start_held("held"))
		return CHILD_SKIPPED;
	hang_in_many();
	for (int i = NR_MANY - 1; i >= 0; i--)
		nr_kept += aio_cancel(held, &many[i]) == AIO_NOTCANCELED;
	check_equal(nr_kept, served_nr_held());
	served_release();
	return 0;
}

/* ---- O_DIRECT, of which more is known when the first request has begun ---- */

static void *read_again(void *arg)
{
	submit_read(arg, held, direct_buffer(SIZE), SIZE, SIZE);
	return NULL;
}

static int read_direct(void)
{
	struct aiocb again;

	if (!start_held_with("held", O_DIRECT))
		return CHILD_SKIPPED;
	submit_read(&stuck, held, direct_buffer(SIZE), SIZE, 0);
	eventually(served_nr_held() == 1);
	join_thread(start_thread(read_again, &again));
	use_aio();
	check_equal(aio_error(&again), EINPROGRESS);
	served_release();
	check_equal(outcome(&stuck), SIZE);
	check_equal(outcome(&again), SIZE);
	return 0;
}

TEST_OR_SKIP(test_direct_reads_of_a_file_that_hangs_hold_up_no_call, read_direct, 30000)

/* ---- files that nobody can close ---- */

#define NR_OVERLAPPING 4

static struct aiocb overlapping[2][NR_OVERLAPPING];

/* Of these the first has begun, and the others wait for it. */
static int hang_in_overlapping(const char *name, struct aiocb cbs[NR_OVERLAPPING])
{
	unsigned int nr_before = served_nr_held();
	int fd = served_open(name, O_RDWR);

	for (int i = 0; i < NR_OVERLAPPING; i++)
		submit_write(&cbs[i], fd, buf, SIZE, 0);
	eventually(served_nr_held() > nr_before);
	return fd;
}

static void *replace(void *fd)
{
	check_equal(dup2(STDIN_FILENO, *(int *)fd), *(int *)fd);
	return NULL;
}

static void check_close_under_read(void)
{
	char byte = 0;
	int fds[2];

	open_timed_socket(fds);
	submit_read(&stuck, fds[0], &byte, 1, 0);
	eventually(others_are_asleep());
	join_thread(start_thread(replace, &fds[0]));
	check_equal(aio_error(&stuck), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&stuck), 1);
	check_equal(byte, 'x');
}

/*
 * A process that has a copy of the descriptors waits for the server when it closes them.  These
 * calls do not, and none of their requests gets lost.
 */
static int close_beside_what_cannot_be(void)
{
	int first, second;

	if (!served_may_close() || !served_start())
		return CHILD_SKIPPED;
	served_open("held-flushed", O_RDWR);
	first = hang_in_overlapping("held-1", overlapping[0]);
	second = hang_in_overlapping("held-2", overlapping[1]);
	join_thread(start_thread(replace, &first));
	join_thread(start_thread(replace, &second));
	served_release();
	for (int i = 0; i < NR_OVERLAPPING; i++) {
		check_equal(outcome(&overlapping[0][i]), SIZE);
		check_equal(outcome(&overlapping[1][i]), SIZE);
	}
	check_close_under_read();
	use_aio_briefly();
	return 0;
}

/* ---- a file that hangs where one was that never did ---- */

#define NUMBER 300

static void *read_next_file(void *arg)
{
	(void)arg;
	submit_read(&stuck, NUMBER + 1, buf, SIZE, 0);
	return NULL;
}

static int replace_file(void (*close_them)(void))
{
	int file = memory_file();

	if (!start_held("held"))
		return CHILD_SKIPPED;
	check_equal(pwrite(file, buf, SIZE, 0), SIZE);
	check_equal(dup2(file, NUMBER + 1), NUMBER + 1);
	for (int i = 0; i < 20; i++)
		check_equal(read_now(NUMBER + 1, buf, SIZE, 0), SIZE);
	close_them();
	/* Libraries that watch calls that replace a descriptor do not see this one. */
	check_equal(fcntl(held, F_DUPFD, NUMBER + 1), NUMBER + 1);
	join_thread(start_thread(read_next_file, NULL));
	eventually(served_nr_held() == 1);
	served_release();
	check_equal(outcome(&stuck), SIZE);
	return 0;
}

static void close_it_alone(void)
{
	check_equal(close(NUMBER + 1), 0);
}

static void close_it_in_a_range(void)
{
	if (close_range(NUMBER, NUMBER + 1, 0) < 0)
		close_it_alone();
}

static int replace_one(void)
{
	return replace_file(close_it_alone);
}

static int replace_range(void)
{
	return replace_file(close_it_in_a_range);
}

TEST_OR_SKIP(test_next_file_that_hangs_holds_up_no_call, replace_one, 30000)
TEST_OR_SKIP(test_next_file_of_a_range_that_hangs_holds_up_no_call, replace_range, 30000)

TEST_OR_SKIP(test_close_returns_under_many_held_reads, close_under_many, 30000)
TEST_OR_SKIP(test_close_returns_beside_a_file_that_nobody_can_close, close_beside_what_cannot_be,
	     30000)
TEST_OR_SKIP(test_what_the_server_has_not_seen_is_cancelled, cancel_many, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_returns_while_a_read_hangs),
		cmocka_unit_test(test_close_returns_while_a_write_hangs),
		cmocka_unit_test(test_close_returns_while_a_sync_hangs),
		cmocka_unit_test(test_dup2_returns_while_a_read_hangs),
		cmocka_unit_test(test_dup2_returns_while_a_write_hangs),
		cmocka_unit_test(test_aio_cancel_returns_while_a_read_hangs),
		cmocka_unit_test(test_aio_cancel_returns_while_a_write_hangs),
		cmocka_unit_test(test_aio_cancel_returns_while_a_sync_hangs),
		cmocka_unit_test(test_close_returns_under_many_held_reads),
		cmocka_unit_test(test_close_returns_beside_a_file_that_nobody_can_close),
		cmocka_unit_test(test_what_the_server_has_not_seen_is_cancelled),
		cmocka_unit_test(test_direct_reads_of_a_file_that_hangs_hold_up_no_call),
		cmocka_unit_test(test_next_file_that_hangs_holds_up_no_call),
		cmocka_unit_test(test_next_file_of_a_range_that_hangs_holds_up_no_call),
	};

	return cmocka_run_group_tests_name("frozen", tests, NULL, NULL);
}
