// SPDX-License-Identifier: MIT
/*
 * test_pool_order.c - which request of the pool is ready, and when it becomes so
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/pool_order.h"
#include "support.h"

#define FD     3
#define BUCKET 256 /* descriptors that far apart share a list */
#define SHARE  4   /* requests of one descriptor that run at once */
#define NR     8

static struct request req[NR];

/* Nothing in the pool. */
static void start(void **state)
{
	(void)state;
	memset(req, 0, sizeof(req));
	pool_order_start();
}

/* The request of that number, of a regular file. */
static void add_with_flags(int i, enum request_op op, int fd, int flags)
{
	req[i].op = op;
	req[i].fd = fd;
	req[i].submit_seq = (uint64_t)i + 1;
	req[i].descriptor.flags = flags;
	req[i].descriptor.mode = S_IFREG;
	pool_order_add(&req[i]);
}

static void add(int i, enum request_op op, int fd)
{
	add_with_flags(i, op, fd, O_RDWR);
}

static void add_to_pipe(int i, enum request_op op, int fd)
{
	req[i].op = op;
	req[i].fd = fd;
	req[i].descriptor.mode = S_IFIFO;
	pool_order_add(&req[i]);
}

static int number_of(const struct request *first)
{
	return first ? (int)(first - req) : -1;
}

/* Begin the oldest ready request of a file: its number, or -1. */
static int begin(void)
{
	struct request *first = pool_order_first(true);

	if (first)
		pool_order_begin(first);
	return number_of(first);
}

static void end(int i)
{
	pool_order_remove(&req[i]);
}

/* ---- one descriptor ---- */

static void test_nothing_is_ready_in_the_beginning(void **state)
{
	start(state);
	check(!pool_order_first(true));
	check(!pool_order_first(false));
}

static void test_every_descriptor_is_served(void **state)
{
	start(state);
	for (int fd = 0; fd < BUCKET; fd++) {
		add(0, OP_READ, fd);
		check_equal(begin(), 0);
		end(0);
	}
}

static void test_requests_begin_in_the_order_in_which_they_came(void **state)
{
	start(state);
	for (int i = 0; i < NR; i++)
		add(i, OP_READ, FD);
	for (int i = 0; i < NR; i++) {
		check_equal(begin(), i);
		end(i);
	}
	check_equal(begin(), -1);
}

static void test_four_of_a_descriptor_run_at_once(void **state)
{
	start(state);
	for (int i = 0; i < NR; i++)
		add(i, OP_READ, FD);
	for (int i = 0; i < SHARE; i++)
		check_equal(begin(), i);
	check_equal(begin(), -1);
	end(2); /* not the oldest */
	check_equal(begin(), SHARE);
	check_equal(begin(), -1);
	end(0);
	end(1);
	check_equal(begin(), SHARE + 1);
	check_equal(begin(), SHARE + 2);
	check_equal(begin(), -1);
}

static void test_buffered_writes_run_one_by_one(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	add(2, OP_WRITE, FD);
	for (int i = 0; i < 3; i++) {
		check_equal(begin(), i);
		check_equal(begin(), -1);
		end(i);
	}
	check_equal(begin(), -1);
}

static void test_writes_that_take_no_lock_run_together(void **state)
{
	static const int flags[] = { O_DIRECT, O_SYNC, O_DSYNC, O_DIRECT };

	start(state);
	for (int i = 0; i < SHARE; i++)
		add_with_flags(i, OP_WRITE, FD, O_RDWR | flags[i]);
	for (int i = 0; i < SHARE; i++)
		check_equal(begin(), i);
}

static void test_reads_and_syncs_run_beside_a_buffered_write(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_READ, FD);
	add(2, OP_FSYNC, FD);
	add_with_flags(3, OP_WRITE, FD, O_RDWR | O_DIRECT);
	for (int i = 0; i < 4; i++)
		check_equal(begin(), i);
}

/* Else a write could wait for ever, while reads come. */
static void test_nothing_overtakes_what_waits(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	add(2, OP_READ, FD);
	check_equal(begin(), 0);
	check_equal(begin(), -1);
	end(0);
	check_equal(begin(), 1);
	check_equal(begin(), 2);
}

static void test_one_end_makes_several_ready(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	for (int i = 2; i < 7; i++)
		add(i, OP_READ, FD);
	check_equal(begin(), 0);
	end(0);
	for (int i = 1; i < 1 + SHARE; i++)
		check_equal(begin(), i);
	check_equal(begin(), -1);
}

/* ---- several descriptors ---- */

static void test_other_descriptors_have_shares_of_their_own(void **state)
{
	static const int others[] = { FD + 1, FD + BUCKET };

	for (int k = 0; k < 2; k++) {
		start(state);
		for (int i = 0; i < SHARE + 1; i++)
			add(i, OP_READ, FD);
		add(5, OP_WRITE, others[k]);
		add(6, OP_WRITE, others[k]);
		add(7, OP_READ, others[k]);
		for (int i = 0; i < SHARE; i++)
			check_equal(begin(), i);
		check_equal(begin(), 5);
		check_equal(begin(), -1);
		end(5);
		check_equal(begin(), 6);
		check_equal(begin(), 7);
		end(0);
		check_equal(begin(), SHARE);
	}
}

static void test_descriptors_take_turns_as_they_became_ready(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	add(2, OP_WRITE, FD + 1);
	check_equal(begin(), 0);
	end(0);
	check_equal(begin(), 2);
	check_equal(begin(), 1);
}

static void test_next_file_of_a_descriptor_does_not_wait(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	check_equal(begin(), 0);
	req[0].detached_at = req[0].submit_seq; /* closed before the next one */
	for (int i = 1; i < 3; i++)
		add(i, OP_WRITE, FD);
	check_equal(begin(), 1);
	check_equal(begin(), -1);
	end(0); /* makes no room */
	check_equal(begin(), -1);
	end(1);
	check_equal(begin(), 2);
}

/* ---- streams ---- */

static void test_requests_on_streams_wait_for_nothing(void **state)
{
	start(state);
	for (int i = 0; i < NR; i++)
		add_to_pipe(i, OP_WRITE, FD);
	check(!pool_order_first(true));
	for (int i = 0; i < NR; i++) {
		check_equal(number_of(pool_order_first(false)), i);
		pool_order_begin(&req[i]);
	}
	check(!pool_order_first(false));
	for (int i = 0; i < NR; i++)
		end(i);
}

static void test_sync_of_a_stream_is_bounded(void **state)
{
	start(state);
	add_to_pipe(0, OP_FSYNC, FD);
	check(!pool_order_first(false));
	check_equal(begin(), 0);
}

/* ---- taken back ---- */

static void test_what_runs_is_not_taken_back(void **state)
{
	start(state);
	add(0, OP_READ, FD);
	add_to_pipe(1, OP_READ, FD + 1);
	check_equal(begin(), 0);
	pool_order_begin(&req[1]);
	check(!pool_order_take_back(&req[0]));
	check(!pool_order_take_back(&req[1]));
	check(!pool_order_take_back(&req[2])); /* never added */
	end(0);
	check(!pool_order_take_back(&req[0]));
}

static void test_what_was_taken_back_does_not_begin(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	add(2, OP_WRITE, FD);
	add_to_pipe(3, OP_READ, FD + 1);
	check(pool_order_take_back(&req[3])); /* ready */
	check(!pool_order_first(false));
	check(pool_order_take_back(&req[1])); /* waits */
	check(pool_order_take_back(&req[0])); /* ready: makes room */
	check(!pool_order_take_back(&req[0]));
	check_equal(begin(), 2);
	check_equal(begin(), -1);
}

static void test_gap_in_those_that_wait_lets_the_next_ones_begin(void **state)
{
	start(state);
	add(0, OP_WRITE, FD);
	add(1, OP_WRITE, FD);
	add(2, OP_READ, FD);
	check_equal(begin(), 0);
	check(pool_order_take_back(&req[1]));
	check_equal(begin(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_ready_in_the_beginning),
		cmocka_unit_test(test_every_descriptor_is_served),
		cmocka_unit_test(test_requests_begin_in_the_order_in_which_they_came),
		cmocka_unit_test(test_four_of_a_descriptor_run_at_once),
		cmocka_unit_test(test_buffered_writes_run_one_by_one),
		cmocka_unit_test(test_writes_that_take_no_lock_run_together),
		cmocka_unit_test(test_reads_and_syncs_run_beside_a_buffered_write),
		cmocka_unit_test(test_nothing_overtakes_what_waits),
		cmocka_unit_test(test_one_end_makes_several_ready),
		cmocka_unit_test(test_other_descriptors_have_shares_of_their_own),
		cmocka_unit_test(test_descriptors_take_turns_as_they_became_ready),
		cmocka_unit_test(test_next_file_of_a_descriptor_does_not_wait),
		cmocka_unit_test(test_requests_on_streams_wait_for_nothing),
		cmocka_unit_test(test_sync_of_a_stream_is_bounded),
		cmocka_unit_test(test_what_runs_is_not_taken_back),
		cmocka_unit_test(test_what_was_taken_back_does_not_begin),
		cmocka_unit_test(test_gap_in_those_that_wait_lets_the_next_ones_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
