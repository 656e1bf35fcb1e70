// SPDX-License-Identifier: MIT
/*
 * test_request.c - the pool of records, and the handles that name them
 *
 * test/model/freelist.pml searches what several threads can do to each other.
 */
#include "support.h"

#include "request/request.h"

/* More than the first chunks hold. */
#define NR_BURST 20000
#define NR       2000

static struct request *records[NR];

static int forget_all(void **state)
{
	(void)state;
	request_after_fork();
	return 0;
}

static void test_no_record_is_given_twice(void **state)
{
	(void)state;
	for (int i = 0; i < NR; i++) {
		records[i] = request_alloc();
		check(records[i] != NULL);
		check_equal(records[i]->index, i);
		check(request_lookup(request_handle_of(records[i])) == records[i]);
	}
}

static void test_record_is_zeroed(void **state)
{
	struct request *req = request_alloc();

	(void)state;
	req->fd = 7;
	req->done = 100;
	req->waiters = 1;
	req->message.kind = MESSAGE_GROUP;
	request_free(req);
	check(request_alloc() == req);
	check_equal(req->fd, 0);
	check_equal(req->done, 0);
	check_equal(req->waiters, 0);
	check_equal(req->message.kind, MESSAGE_SUBMIT);
	check_equal(request_place(req), PLACE_SUBMITTER);
}

static void test_handle_ends_with_its_record(void **state)
{
	struct request *req = request_alloc();
	request_handle old = request_handle_of(req);

	(void)state;
	request_free(req);
	check(request_alloc() == req);
	check(request_lookup(old) == NULL);
	check(request_lookup(request_handle_of(req)) == req);
}

/* Garbage from a block that was never submitted. */
static void test_handle_of_nothing_is_refused(void **state)
{
	struct request *req = request_alloc();
	request_handle handle = request_handle_of(req);

	(void)state;
	check(request_lookup(0) == NULL);
	check(request_lookup(handle & ~(request_handle)UINT32_MAX) == NULL);
	check(request_lookup(handle + 1) == NULL);
	check(request_lookup(handle + ((request_handle)1 << 32)) == NULL);
	check(request_lookup(UINT64_MAX) == NULL);
	check(request_lookup(0xa5a5a5a5a5a5a5a5) == NULL);
}

static void test_marks_do_not_touch_the_generation(void **state)
{
	struct request *req = request_alloc();
	uint32_t generation = request_generation(req);

	(void)state;
	request_mark(req, REQUEST_SUBMITTING);
	check(request_is_marked(req, REQUEST_SUBMITTING));
	check_equal(request_generation(req), generation);
	/* The mark of another generation is another request's. */
	request_unmark(req, generation - 1, REQUEST_SUBMITTING);
	check(request_is_marked(req, REQUEST_SUBMITTING));
	request_unmark(req, generation, REQUEST_SUBMITTING);
	check(!request_is_marked(req, REQUEST_SUBMITTING));
}

/* In the child of a fork the parent's handles name nothing. */
static void test_forgotten_records_begin_anew(void **state)
{
	struct request *req = request_alloc();
	request_handle old = request_handle_of(req);

	(void)state;
	request_after_fork();
	check(request_lookup(old) == NULL);
	check(request_alloc() == req);
	check(request_lookup(old) == NULL);
}

/* A handle from before the memory was given back stays the handle of nothing. */
static void test_generations_go_on_after_a_trim(void **state)
{
	static struct request *many[NR_BURST];
	static request_handle old[NR_BURST];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < NR_BURST; i++) {
			many[i] = request_alloc();
			check(many[i]->index < NR_BURST);
			check(round == 0 || request_lookup(old[many[i]->index]) == NULL);
			old[many[i]->index] = request_handle_of(many[i]);
		}
		check(request_may_trim());
		request_trim();
		check(request_lookup(old[NR_BURST - 1]) != NULL);
		for (int i = 0; i < NR_BURST; i++)
			request_free(many[i]);
		request_trim();
		check(!request_may_trim());
		check(request_lookup(old[NR_BURST - 1]) == NULL);
	}
}

/* The kernel gives back whole pages.  The first record that was never used may lie in the last. */
static void test_trim_spares_what_follows(void **state)
{
	static struct request *many[NR_BURST];
	struct request *next;

	(void)state;
	for (int i = 0; i < NR_BURST; i++)
		many[i] = request_alloc();
	next = request_at(NR_BURST);
	next->fd = 7; /* as a thread might that takes it during the trim */
	for (int i = 0; i < NR_BURST; i++)
		request_free(many[i]);
	request_trim();
	check(!request_may_trim());
	check_equal(next->fd, 7);
}

/*
 * A thread that takes a record that was never used, or was given back, first has its number
 * and then begins it.  A trim that comes between the two must not think that it is
 * one of those which it has in hand itself.
 */
static void test_no_trim_leaves_its_mark(void **state)
{
	static struct request *many[NR_BURST];

	(void)state;
	for (int i = 0; i < NR_BURST; i++)
		many[i] = request_alloc();
	for (int i = 0; i < NR_BURST; i++)
		request_free(many[i]);
	request_trim();
	check(!request_may_trim());
	for (int i = 0; i < NR_BURST; i++)
		check_equal(request_place(many[i]), PLACE_FREE);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_record_is_given_twice),
		TEST(test_record_is_zeroed),
		TEST(test_handle_ends_with_its_record),
		TEST(test_handle_of_nothing_is_refused),
		TEST(test_marks_do_not_touch_the_generation),
		TEST(test_forgotten_records_begin_anew),
		TEST(test_generations_go_on_after_a_trim),
		TEST(test_trim_spares_what_follows),
		TEST(test_no_trim_leaves_its_mark),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
