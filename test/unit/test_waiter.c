// SPDX-License-Identifier: MIT
/*
 * test_waiter.c - a wait for what has ended is over at once
 *
 * A record may end between the look at it and the wait: its handle is stale then.
 */
#include "support.h"

#include "request/waiter.h"

static struct request *begin(void)
{
	struct request *req = request_alloc();

	check(req != NULL);
	return req;
}

static void end(struct request *req)
{
	waiter_publish(req);
	request_free(req);
}

static void test_wait_for_a_record_that_has_ended_is_over(void **state)
{
	struct request *req = begin();
	request_handle handle = request_handle_of(req);

	(void)state;
	end(req);
	check_equal(waiter_wait_one(handle, NULL, false), 0);
	/* It is another request's now. */
	check(begin() == req);
	check_equal(waiter_wait_one(handle, NULL, false), 0);
	end(req);
}

static void test_wait_ends_in_time(void **state)
{
	struct request *req = begin();
	struct timespec past = { .tv_sec = 0, .tv_nsec = 1 };

	(void)state;
	check_equal(waiter_wait_one(request_handle_of(req), &past, false), -ETIMEDOUT);
	end(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_for_a_record_that_has_ended_is_over),
		cmocka_unit_test(test_wait_ends_in_time),
	};

	return cmocka_run_group_tests_name("waiter", tests, NULL, NULL);
}
