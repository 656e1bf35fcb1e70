// SPDX-License-Identifier: MIT
/*
 * test_fdqueue.c - which request of a descriptor may be issued now
 *
 * Each test adds requests to the queue of one descriptor and names, in order,
 * those that come out of it.
 */
#include "support.h"

#include <sys/stat.h>

#include "base/stats.h"
#include "order/bypass.h"
#include "order/fdqueue.h"

#define FD 5

static struct fdqueue *queue;

static struct request *add(mode_t mode, enum request_op op, off_t offset, size_t nbytes)
{
	struct request *req = request_alloc();

	check(req != NULL);
	req->fd = FD;
	req->op = (uint8_t)op;
	req->offset = offset;
	req->nbytes = nbytes;
	req->descriptor.mode = mode;
	check_equal(fdqueue_add(req), 0);
	queue = req->queue;
	return req;
}

static struct request *add_file(enum request_op op, off_t offset, size_t nbytes)
{
	return add(S_IFREG, op, offset, nbytes);
}

static struct request *add_stream(enum request_op op)
{
	return add(S_IFIFO, op, 0, 1);
}

/* This one comes next, and is in flight from here on. */
static void check_next(struct request *req)
{
	check(fdqueue_next(queue, true) == req);
	request_set_place(req, PLACE_WORKERS);
}

static void check_none(void)
{
	check(fdqueue_next(queue, true) == NULL);
}

static void end(struct request *req)
{
	fdqueue_remove(req);
	request_set_place(req, PLACE_ENDED);
	request_set_place(req, PLACE_DONE);
	request_free(req);
}

static int forget_all(void **state)
{
	(void)state;
	bypass_after_fork();
	fdqueue_after_fork();
	request_after_fork();
	stats_after_fork();
	return 0;
}

static void test_requests_that_are_apart_run_at_once(void **state)
{
	struct request *first = add_file(OP_WRITE, 0, 100);
	struct request *second = add_file(OP_WRITE, 100, 100);
	struct request *third = add_file(OP_READ, 200, 100);

	(void)state;
	check_next(first);
	check_next(second);
	check_next(third);
	check_equal(queue->nr_in_flight, 3);
	check_none();
}

static void test_overlap_waits_and_all_behind_it(void **state)
{
	struct request *write = add_file(OP_WRITE, 50, 100);
	struct request *read = add_file(OP_READ, 149, 1);
	struct request *apart = add_file(OP_READ, 1000, 1);

	(void)state;
	check_next(write);
	check_none();
	check_none();
	end(write);
	check_next(read);
	check_next(apart);
	check_equal(stats_sum(STATS_overlap_stalls, STATS_overlap_stalls), 1);
}

static void test_reads_may_overlap(void **state)
{
	struct request *first = add_file(OP_READ, 0, 100);
	struct request *second = add_file(OP_READ, 0, 100);
	struct request *write = add_file(OP_WRITE, 99, 1);

	(void)state;
	check_next(first);
	check_next(second);
	check_none();
	end(first);
	check_none();
	end(second);
	check_next(write);
}

static void test_append_covers_the_whole_file(void **state)
{
	struct request *append = add_file(OP_WRITE, 0, 1);
	struct request *read = add_file(OP_READ, INT64_MAX - 10, 1);

	(void)state;
	append->descriptor.flags = O_APPEND;
	check_next(append);
	check_none();
	end(append);
	check_next(read);
}

static void test_barrier_waits_for_what_is_older_and_nothing_for_it(void **state)
{
	struct request *write = add_file(OP_WRITE, 0, 100);
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *later = add_file(OP_WRITE, 100, 100);

	(void)state;
	check_next(write);
	check_next(later);
	check_none();
	end(write);
	check_next(barrier);
	check_none();
}

static void test_barrier_that_ends_leaves_transfers_in_flight(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *write = add_file(OP_WRITE, 0, 100);
	struct request *read = add_file(OP_READ, 50, 1);

	(void)state;
	check_next(barrier);
	check_next(write);
	end(barrier);
	check_equal(queue->nr_in_flight, 1);
	check_none();
	end(write);
	check_next(read);
}

static void test_barriers_right_behind_one_join_it(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *second = add_file(OP_FSYNC, 0, 0);
	struct request *third = add_file(OP_FSYNC, 0, 0);

	(void)state;
	check_next(barrier);
	check(fdqueue_next_joined(barrier) == second);
	check(fdqueue_next_joined(second) == third);
	check(fdqueue_next_joined(third) == NULL);
	check_none();
}

static void test_barrier_does_not_join_one_that_has_begun(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *late, *last;

	(void)state;
	check_next(barrier);
	late = add_file(OP_FSYNC, 0, 0);
	last = add_file(OP_FSYNC, 0, 0);
	check_none();
	check(fdqueue_next_joined(barrier) == NULL);
	end(barrier);
	check_next(late);
	check(fdqueue_next_joined(late) == last);
}

static void test_barrier_behind_a_transfer_joins_when_that_has_ended(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *second = add_file(OP_FSYNC, 0, 0);
	struct request *write = add_file(OP_WRITE, 0, 1);
	struct request *third = add_file(OP_FSYNC, 0, 0);
	struct request *read = add_file(OP_READ, 1, 1);
	struct request *fourth = add_file(OP_FSYNC, 0, 0);

	(void)state;
	check_next(barrier);
	check(fdqueue_next_joined(barrier) == second);
	check(fdqueue_next_joined(second) == NULL);
	check_next(write);
	check_next(read);
	end(second);
	end(barrier);
	end(read);
	check_none();
	end(write);
	check_next(third);
	check(fdqueue_next_joined(third) == fourth);
}

static void test_barrier_does_not_join_one_of_another_kind(void **state)
{
	struct request *data = add_file(OP_FDATASYNC, 0, 0);
	struct request *all = add_file(OP_FSYNC, 0, 0);
	struct request *last = add_file(OP_FDATASYNC, 0, 0);

	(void)state;
	check_next(data);
	check(fdqueue_next_joined(data) == NULL);
	end(data);
	check_next(all);
	check(fdqueue_next_joined(all) == NULL);
	end(all);
	check_next(last);
}

/* Its submitting call was not over when the barriers joined, so it was not waited for. */
static void test_transfer_that_comes_back_answers_no_barrier(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *second = add_file(OP_FSYNC, 0, 0);
	struct request *write = request_alloc();

	(void)state;
	check(write != NULL);
	barrier->submit_seq = 1;
	second->submit_seq = 3;
	check_next(barrier);
	check(fdqueue_next_joined(barrier) == second);
	write->fd = FD;
	write->op = OP_WRITE;
	write->nbytes = 1;
	write->descriptor.mode = S_IFREG;
	write->submit_seq = 2;
	write->is_bounced = true;
	check_equal(fdqueue_add(write), 0);
	check_next(write);
	check(fdqueue_next_joined(write) == NULL);
	check(fdqueue_next_joined(barrier) == NULL);
}

static void test_barrier_does_not_join_before_what_bypasses_the_engine(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *second = add_file(OP_FSYNC, 0, 0);
	struct request *third = add_file(OP_FSYNC, 0, 0);
	struct request *write = request_alloc();

	(void)state;
	check(write != NULL);
	write->fd = FD;
	write->op = OP_WRITE;
	check(bypass_enter(write, PLACE_HANDED_OVER));
	bypass_return(write, request_generation(write));
	third->submit_seq = bypass_seq();
	check_next(barrier);
	check(fdqueue_next_joined(barrier) == second);
	check(fdqueue_next_joined(second) == NULL);
	bypass_leave_range(write);
	bypass_leave(write);
}

static struct request *add_synced(off_t offset)
{
	struct request *req = add_file(OP_WRITE, offset, 1);

	req->descriptor.flags = O_DSYNC;
	return req;
}

/* As synced_writes.c does. */
static void perform(struct request *req)
{
	queue->nr_synced--;
	request_set_place(req, PLACE_ENDED);
	request_set_place(req, PLACE_PERFORMED);
	TAILQ_INSERT_TAIL(&queue->performed, req, list_link);
}

static void end_request(struct request *req)
{
	TAILQ_REMOVE(&queue->performed, req, list_link);
	end(req);
}

static void test_synced_writes_go_in_groups(void **state)
{
	struct request *first = add_synced(0), *second = add_synced(1), *third, *fourth;

	(void)state;
	check_next(first);
	check_next(second);
	third = add_synced(2);
	check_next(third);
	perform(second);
	fourth = add_synced(3);
	check_none();
	perform(first);
	perform(third);
	check_equal(queue->nr_synced, 0);
	check_none();
	end_request(second);
	end_request(first);
	check_none();
	end_request(third);
	check_next(fourth);
}

static void test_synced_write_waits_for_earlier_barriers_alone(void **state)
{
	struct request *first = add_synced(0), *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *second = add_synced(1), *later = add_file(OP_FSYNC, 0, 0);

	(void)state;
	check_next(first);
	check_none();
	end(first);
	check_next(barrier);
	check_none();
	end(barrier);
	check_next(second);
	check_none();
	end(second);
	check_next(later);
}

static void test_only_synced_writes_wait_for_barriers(void **state)
{
	struct request *barrier = add_file(OP_FSYNC, 0, 0);
	struct request *direct = add_synced(0), *read = add_synced(1);

	(void)state;
	direct->descriptor.flags |= O_DIRECT;
	read->op = OP_READ;
	check_next(barrier);
	check_next(direct);
	check_next(read);
}

static void test_file_requests_need_room(void **state)
{
	struct request *read = add_file(OP_READ, 0, 100);

	(void)state;
	check(fdqueue_next(queue, false) == NULL);
	check_next(read);
}

static void test_stream_has_one_in_flight_each_way(void **state)
{
	struct request *first = add_stream(OP_READ);
	struct request *second = add_stream(OP_READ);
	struct request *write = add_stream(OP_WRITE);

	(void)state;
	check_next(first);
	check_next(write);
	check_none();
	end(first);
	check_next(second);
}

static void test_priority_orders_what_waits_on_a_stream(void **state)
{
	struct request *low = request_alloc();
	struct request *high, *next;

	(void)state;
	low->fd = FD;
	low->op = OP_READ;
	low->priority = -5;
	low->descriptor.mode = S_IFIFO;
	check_equal(fdqueue_add(low), 0);
	high = add_stream(OP_READ);
	next = add_stream(OP_READ);
	check_next(high);
	end(high);
	check_next(next);
	end(next);
	check_next(low);
}

static void test_withdrawn_request_does_not_come(void **state)
{
	struct request *first = add_file(OP_READ, 0, 1);
	struct request *second = add_file(OP_READ, 0, 1);

	(void)state;
	fdqueue_withdraw(first);
	check_next(second);
	check_none();
}

static void test_next_file_of_a_descriptor_has_its_own_queue(void **state)
{
	struct request *old = add_file(OP_WRITE, 0, 100);
	struct fdqueue *before = queue;
	struct request *new;

	(void)state;
	check_next(old);
	fdqueue_detach(before, fdqueue_new_detached());
	new = add_file(OP_WRITE, 0, 100);
	check(queue != before);
	check_next(new);
	check(fdqueue_first(FD) == queue);
	check(fdqueue_after(queue) == before);
	end(old);
	check(fdqueue_after(queue) == NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests_that_are_apart_run_at_once),
		TEST(test_overlap_waits_and_all_behind_it),
		TEST(test_reads_may_overlap),
		TEST(test_append_covers_the_whole_file),
		TEST(test_barrier_waits_for_what_is_older_and_nothing_for_it),
		TEST(test_barrier_that_ends_leaves_transfers_in_flight),
		TEST(test_barriers_right_behind_one_join_it),
		TEST(test_barrier_does_not_join_one_that_has_begun),
		TEST(test_barrier_behind_a_transfer_joins_when_that_has_ended),
		TEST(test_barrier_does_not_join_one_of_another_kind),
		TEST(test_transfer_that_comes_back_answers_no_barrier),
		TEST(test_barrier_does_not_join_before_what_bypasses_the_engine),
		TEST(test_synced_writes_go_in_groups),
		TEST(test_synced_write_waits_for_earlier_barriers_alone),
		TEST(test_only_synced_writes_wait_for_barriers),
		TEST(test_file_requests_need_room),
		TEST(test_stream_has_one_in_flight_each_way),
		TEST(test_priority_orders_what_waits_on_a_stream),
		TEST(test_withdrawn_request_does_not_come),
		TEST(test_next_file_of_a_descriptor_has_its_own_queue),
	};

	return cmocka_run_group_tests_name("fdqueue", tests, NULL, NULL);
}
