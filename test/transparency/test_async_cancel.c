// SPDX-License-Identifier: MIT
/*
 * test_async_cancel.c - threads that are cancelled at any moment of a call
 *
 * POSIX calls no function of AIO async-cancel-safe: what a thread leaves behind that is
 * cancelled amid one of them is undefined.  All the same the other threads go on, on the
 * same files.  What the cancelled thread had under way is given up, with its memory.
 */
#include "transparency.h"

#include <stdatomic.h>

#define NR_ROUNDS 180
#define NR_CALLS  8
#define SIZE      4096
#define FILE_SIZE (16 * SIZE)

/* The state of one thread.  It may be in use after the thread has ended, so each has its own. */
struct victim {
	void (*call)(struct victim *victim, int i);
	struct aiocb cbs[NR_CALLS];
	char *buf;
	int fd;
	atomic_int nr_calls;
};

/* ---- the calls ---- */

static void prepare(struct victim *victim, int i)
{
	aiocb_init_lio(&victim->cbs[i], i % 2 ? LIO_READ : LIO_WRITE, victim->fd,
		       victim->buf + i * SIZE, SIZE, (off_t)i * SIZE);
}

static void wait_for(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	while (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
}

static void poll_for(struct aiocb *cb)
{
	while (aio_error(cb) == EINPROGRESS)
		continue;
}

static void submit(struct victim *victim, int i)
{
	prepare(victim, i);
	if (i % 2)
		aio_read(&victim->cbs[i]);
	else
		aio_write(&victim->cbs[i]);
}

static void submit_and_wait(struct victim *victim, int i)
{
	submit(victim, i);
	wait_for(&victim->cbs[i]);
}

static void submit_and_poll(struct victim *victim, int i)
{
	submit(victim, i);
	poll_for(&victim->cbs[i]);
}

static void submit_and_cancel(struct victim *victim, int i)
{
	prepare(victim, i);
	aio_read(&victim->cbs[i]);
	aio_cancel(victim->fd, &victim->cbs[i]);
	poll_for(&victim->cbs[i]);
}

/* Once in a while: on a busy disk a sync takes seconds. */
static void sync_and_wait(struct victim *victim, int i)
{
	if (i > 0)
		return;
	prepare(victim, i);
	aio_fsync(O_DSYNC, &victim->cbs[i]);
	wait_for(&victim->cbs[i]);
}

static void wait_for_list(struct victim *victim, int i)
{
	struct aiocb *list[NR_CALLS];

	if (i > 0)
		return;
	for (int j = 0; j < NR_CALLS; j++) {
		prepare(victim, j);
		list[j] = &victim->cbs[j];
	}
	lio_listio(LIO_WAIT, list, NR_CALLS, NULL);
}

static void poll_list(struct victim *victim, int i)
{
	struct aiocb *list[NR_CALLS];

	if (i > 0)
		return;
	for (int j = 0; j < NR_CALLS; j++) {
		prepare(victim, j);
		list[j] = &victim->cbs[j];
	}
	lio_listio(LIO_NOWAIT, list, NR_CALLS, NULL);
	for (int j = 0; j < NR_CALLS; j++)
		poll_for(&victim->cbs[j]);
}

/* ---- the threads ---- */

static void *call_until_cancelled(void *arg)
{
	struct victim *victim = arg;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		for (int i = 0; i < NR_CALLS; i++)
			victim->call(victim, i);
		atomic_fetch_add(&victim->nr_calls, 1);
	}
	return NULL;
}

/* At a moment that differs from round to round. */
static void cancel_amid(void (*call)(struct victim *victim, int i), int fd, int round)
{
	struct victim *victim = calloc(1, sizeof(*victim));
	uint64_t until;
	pthread_t thread;

	check(victim != NULL);
	victim->call = call;
	victim->fd = fd;
	victim->buf = direct_buffer(NR_CALLS * SIZE);
	thread = start_thread(call_until_cancelled, victim);
	eventually(atomic_load(&victim->nr_calls) > round % 3);
	until = now_ns() + (uint64_t)(round * 7919 % 100) * 1000;
	while (now_ns() < until)
		continue;
	check_equal(pthread_cancel(thread), 0);
	join_thread(thread);
}

static void check_all_goes_on(int fd)
{
	char *buf = direct_buffer(SIZE);
	struct aiocb cb;

	submit_write(&cb, fd, buf, SIZE, 0);
	check_equal(outcome(&cb), SIZE);
	check_equal(read_now(fd, buf, SIZE, 0), SIZE);
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	use_aio_briefly();
	check(aio_cancel(fd, NULL) >= 0);
	free(buf);
}

static int cancel_amid_calls(int fd)
{
	static void (*const calls[])(struct victim * victim, int i) = {
		submit_and_wait, submit_and_poll, submit_and_cancel,
		sync_and_wait,   wait_for_list,   poll_list,
	};
	const int nr_calls = sizeof(calls) / sizeof(calls[0]);

	if (fd < 0) {
		printf("the file system refuses O_DIRECT");
		return CHILD_SKIPPED;
	}
	choose_default_deadline(30000);
	for (int i = 0; i < NR_ROUNDS; i++) {
		cancel_amid(calls[i % nr_calls], fd, i);
		check_all_goes_on(fd);
	}
	return 0;
}

static int cancel_cached(void)
{
	return cancel_amid_calls(temp_file_filled(FILE_SIZE));
}

static int cancel_direct(void)
{
	return cancel_amid_calls(direct_file(FILE_SIZE, 0));
}

TEST_OR_SKIP(test_others_go_on_when_a_thread_is_cancelled_amid_a_call, cancel_cached, 60000)
TEST_OR_SKIP(test_others_go_on_when_one_is_cancelled_amid_a_direct_call, cancel_direct, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_go_on_when_a_thread_is_cancelled_amid_a_call),
		cmocka_unit_test(test_others_go_on_when_one_is_cancelled_amid_a_direct_call),
	};

	return cmocka_run_group_tests_name("async_cancel", tests, NULL, NULL);
}
