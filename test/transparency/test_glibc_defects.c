// SPDX-License-Identifier: MIT
/*
 * test_glibc_defects.c - what glibc's AIO does wrong, and this library must not
 *
 * Every test here fails on glibc, as test/differences.txt says.  Defects that
 * belong to another theme are tested there: AIO in a forked child (test_fork),
 * data in the wrong file after close() (test_close_reuse), a full signal queue
 * (test_signal_queue), aio_suspend in a signal handler (test_handlers).
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/socket.h>

/* ---- lio_listio(LIO_WAIT) interrupted by a handler ---- */

#define NR_LISTED 16

static struct aiocb listed[NR_LISTED];
static char listed_bytes[NR_LISTED];
static int listed_pipe[2];

static void do_nothing(int signo)
{
	(void)signo;
}

static atomic_bool is_back;

/* It may be asleep somewhere else at first, so more than once. */
static void *interrupt_when_asleep(void *arg)
{
	pthread_t *waiter = arg;

	while (!is_back) {
		if (thread_sleeps(getpid()))
			check_equal(pthread_kill(*waiter, SIGUSR1), 0);
		short_pause();
	}
	return NULL;
}

static __attribute__((noinline)) void wait_and_be_interrupted(void)
{
	struct aiocb *list[NR_LISTED];
	pthread_t self = pthread_self(), helper;

	for (int i = 0; i < NR_LISTED; i++) {
		list[i] = &listed[i];
		aiocb_init_lio(list[i], LIO_READ, listed_pipe[0], &listed_bytes[i], 1, 0);
	}
	is_back = false;
	helper = start_thread(interrupt_when_asleep, &self);
	check_equal(lio_listio(LIO_WAIT, list, NR_LISTED, NULL), -1);
	check_equal(errno, EINTR);
	is_back = true;
	join_thread(helper);
}

/* Lie on the stack where the interrupted call lay, and see it stay whole. */
static __attribute__((noinline)) void complete_on_that_stack(void)
{
	volatile unsigned char stack[16384];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0x5a;
	for (int i = 0; i < NR_LISTED; i++) {
		write_fully(listed_pipe[1], "x", 1);
		eventually(aio_error(&listed[i]) != EINPROGRESS);
		check_equal(aio_return(&listed[i]), 1);
	}
	for (size_t i = 0; i < sizeof(stack); i++)
		check_equal(stack[i], 0x5a);
}

static int interrupt_listio(void)
{
	handle_signal(SIGUSR1, do_nothing, 0);
	open_pipe(listed_pipe);
	for (int i = 0; i < 20; i++) {
		wait_and_be_interrupted();
		complete_on_that_stack();
	}
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_interrupted_listio_leaves_nothing_on_the_stack, interrupt_listio, 15000)

/* ---- both directions of a socket ---- */

static int write_beside_pending_read(void)
{
	struct aiocb read, write;
	char byte = 0;
	int fds[2];

	open_socketpair(fds, SOCK_STREAM);
	submit_read(&read, fds[0], &byte, 1, 0);
	submit_write(&write, fds[0], "out", 3, 0);
	check(becomes_true(aio_error(&write) != EINPROGRESS, stretched_ms(4000)));
	check_equal(outcome(&write), 3);
	read_fully(fds[1], NULL, 3);
	check_equal(aio_error(&read), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&read), 1);
	check_equal(byte, 'x');
	return 0;
}

TEST_IN_CHILD(test_pending_read_of_a_socket_does_not_hold_up_a_write, write_beside_pending_read,
	      15000)

/* ---- what is asked for later ---- */

/* The block is the library's until the end, but it must not matter which thread reads it when. */
static int change_sigevent_of_a_blocked_read(void)
{
	static struct aiocb cb;
	int fds[2];
	char buf;

	catch_signal(SIGRTMIN, SA_RESTART);
	open_pipe(fds);
	aiocb_init(&cb, fds[0], &buf, 1, 0);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN, 42);
	check_equal(aio_read(&cb), 0);
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	write_fully(fds[1], "x", 1);
	check_equal(await_result(&cb), 1);
	eventually(nr_caught() == 1);
	check_equal(caught(0)->si_value.sival_int, 42);
	return 0;
}

TEST_IN_CHILD(test_notification_is_the_one_asked_for_at_submission,
	      change_sigevent_of_a_blocked_read, 15000)

/* ---- many callbacks ---- */

#define NR_CALLBACKS   2000
#define NR_THREADS_MAX 1024 /* as RTAIO_CALLBACKS */
#define NR_OTHERS_MAX  500  /* threads of the library that run no callback */

static atomic_uint nr_begun, nr_run;
static int held[2];

/* Each waits for a byte of its own. */
static void call_back_until_released(union sigval value)
{
	char byte;

	(void)value;
	atomic_fetch_add(&nr_begun, 1);
	check_equal(read(held[0], &byte, 1), 1);
	atomic_fetch_add(&nr_run, 1);
}

static int bound_threads(void)
{
	static struct aiocb cbs[NR_CALLBACKS];
	struct aiocb *list[NR_CALLBACKS];
	static char buf[NR_CALLBACKS][16];
	int fd = temp_file_filled(65536);
	unsigned int nr;

	open_pipe(held);
	for (int i = 0; i < NR_CALLBACKS; i++) {
		list[i] = &cbs[i];
		aiocb_init_lio(&cbs[i], LIO_READ, fd, buf[i], 16, i * 16);
		notify_by_thread(&cbs[i].aio_sigevent, call_back_until_released, NULL);
	}
	check_equal(lio_listio(LIO_NOWAIT, list, NR_CALLBACKS, NULL), 0);
	for (int i = 0; i < NR_CALLBACKS; i++)
		check_equal(outcome(&cbs[i]), 16);
	eventually(nr_begun >= NR_THREADS_MAX);
	nr = nr_threads();
	write_fully(held[1], buf, NR_CALLBACKS);
	eventually(nr_run == NR_CALLBACKS);
	if (nr > NR_THREADS_MAX + NR_OTHERS_MAX)
		check_failed("%u threads at once", nr);
	return 0;
}

TEST_IN_CHILD(test_a_bounded_number_of_callbacks_runs_at_once, bound_threads, 20000)

/* ---- blocked reads ---- */

#define NR_BLOCKED 64

static struct aiocb blocked[NR_BLOCKED];
static char blocked_bytes[NR_BLOCKED];
static int blocked_pipes[NR_BLOCKED][2];

static void block_reads(void)
{
	for (int i = 0; i < NR_BLOCKED; i++) {
		open_pipe(blocked_pipes[i]);
		submit_read(&blocked[i], blocked_pipes[i][0], &blocked_bytes[i], 1, 0);
	}
}

static void release_reads(void)
{
	for (int i = 0; i < NR_BLOCKED; i++)
		write_fully(blocked_pipes[i][1], "x", 1);
	for (int i = 0; i < NR_BLOCKED; i++)
		check_equal(outcome(&blocked[i]), 1);
}

static int use_files_beside_blocked_reads(void)
{
	int fd = temp_file_filled(65536);
	struct aiocb cb;
	char buf[4096];

	block_reads();
	submit_read(&cb, fd, buf, sizeof(buf), 0);
	check(becomes_true(aio_error(&cb) != EINPROGRESS, stretched_ms(4000)));
	use_aio();
	release_reads();
	return 0;
}

TEST_IN_CHILD(test_blocked_reads_do_not_stop_other_requests, use_files_beside_blocked_reads, 15000)

/* ---- cancelling the first of a queue ---- */

/* All of glibc's threads are busy, so that the first one waits for a thread. */
static int cancel_head_of_queue(void)
{
	struct aiocb queue[4];
	char bytes[4] = { 0 };
	int fds[2], ret, nr_read = 0;
	ssize_t res;

	block_reads();
	open_pipe(fds);
	for (int i = 0; i < 4; i++)
		submit_read(&queue[i], fds[0], &bytes[i], 1, 0);
	ret = aio_cancel(fds[0], &queue[0]);
	check(ret == AIO_CANCELED || ret == AIO_NOTCANCELED);
	release_reads();
	write_fully(fds[1], "abcd", 4);
	for (int i = 0; i < 4; i++) {
		check(becomes_true(aio_error(&queue[i]) != EINPROGRESS, stretched_ms(4000)));
		res = outcome(&queue[i]);
		if (i == 0 && ret == AIO_CANCELED) {
			check_equal(res, -ECANCELED);
			continue;
		}
		check_equal(res, 1);
		check_equal(bytes[i], 'a' + nr_read++);
	}
	return 0;
}

TEST_IN_CHILD(test_cancelling_the_first_of_a_queue_strands_nobody, cancel_head_of_queue, 15000)

/* ---- odd timeouts ---- */

static int odd_pipe[2];

static void *write_while_main_waits(void *arg)
{
	(void)arg;
	eventually(thread_sleeps(getpid()));
	write_fully(odd_pipe[1], "x", 1);
	return NULL;
}

/* Seconds and nanoseconds are added: waits of 200 ms, waits that are over, one without end. */
static int suspend_with_odd_timeouts(void)
{
	const struct timespec waits[] = { { 1, -800000000 },
					  { -1, 1200000000 },
					  { 9, -8800000000 } };
	const struct timespec over[] = {
		{ 0, -500000000 },  { 0, -2000000000 }, { 1, -1000000000 },
		{ 1, -3000000000 }, { 0, LONG_MIN },    { LONG_MIN, LONG_MIN },
	};
	const struct timespec endless = { LONG_MAX, LONG_MAX };
	const struct aiocb *list[1];
	pthread_t writer;
	struct aiocb cb;
	char byte;

	open_pipe(odd_pipe);
	submit_read(&cb, odd_pipe[0], &byte, 1, 0);
	list[0] = &cb;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		uint64_t begin = now_ns();

		check_equal(aio_suspend(list, 1, &waits[i]), -1);
		check_equal(errno, EAGAIN);
		check(now_ns() - begin >= 200000000);
	}
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		check_equal(aio_suspend(list, 1, &over[i]), -1);
		check_equal(errno, EAGAIN);
	}
	writer = start_thread(write_while_main_waits, NULL);
	check_equal(aio_suspend(list, 1, &endless), 0);
	join_thread(writer);
	check_equal(outcome(&cb), 1);
	return 0;
}

TEST_IN_CHILD(test_timeout_out_of_range_is_a_sum, suspend_with_odd_timeouts, 15000)

/* ---- long queues ---- */

#define LONG_QUEUE 60000

/* Not the time that passes: other programs want the processor, too. */
static uint64_t cpu_us(void)
{
	struct timespec now;

	check_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Processor time to queue as many reads of a pipe. */
static uint64_t time_queue(unsigned int nr)
{
	struct aiocb *cbs = calloc(nr, sizeof(*cbs));
	char *bytes = calloc(nr, 1), *zeros = calloc(nr, 1);
	uint64_t begin, end;
	int fds[2];

	open_pipe(fds);
	begin = cpu_us();
	for (unsigned int i = 0; i < nr; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	end = cpu_us();
	write_fully(fds[1], zeros, nr);
	for (unsigned int i = 0; i < nr; i++)
		check_equal(outcome(&cbs[i]), 1);
	close_pair(fds);
	free(cbs);
	free(bytes);
	free(zeros);
	return end - begin;
}

/* Four times as many cost four times as much, give or take; not sixteen. */
static int queue_very_many(void)
{
	uint64_t few = time_queue(LONG_QUEUE / 4);
	uint64_t many = time_queue(LONG_QUEUE);

	if (many > 8 * few && many > 1000000)
		check_failed("%llu us for %d requests, %llu us for %d", (unsigned long long)few,
			     LONG_QUEUE / 4, (unsigned long long)many, LONG_QUEUE);
	return 0;
}

TEST_IN_CHILD(test_cost_of_a_request_does_not_grow_with_its_queue, queue_very_many, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupted_listio_leaves_nothing_on_the_stack),
		cmocka_unit_test(test_pending_read_of_a_socket_does_not_hold_up_a_write),
		cmocka_unit_test(test_notification_is_the_one_asked_for_at_submission),
		cmocka_unit_test(test_a_bounded_number_of_callbacks_runs_at_once),
		cmocka_unit_test(test_blocked_reads_do_not_stop_other_requests),
		cmocka_unit_test(test_cancelling_the_first_of_a_queue_strands_nobody),
		cmocka_unit_test(test_timeout_out_of_range_is_a_sum),
		cmocka_unit_test(test_cost_of_a_request_does_not_grow_with_its_queue),
	};

	return cmocka_run_group_tests_name("glibc_defects", tests, NULL, NULL);
}
