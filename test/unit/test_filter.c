// SPDX-License-Identifier: MIT
/*
 * test_filter.c - the filter counts what is under way, and nothing else.
 */
#include <sys/stat.h>

#include "order/filter.h"
#include "request/vector.h"
#include "support.h"

#define FD            3
#define REQUEST_BYTES (64 * FILTER_BLOCK_BYTES)

static struct request write_of(off_t offset, size_t nbytes)
{
	struct request req = { .op = OP_WRITE, .fd = FD, .offset = offset, .nbytes = nbytes };

	req.descriptor.has_type = true;
	req.descriptor.mode = S_IFREG;
	return req;
}

static bool may_conflict(off_t offset, size_t nbytes)
{
	struct request req = write_of(offset, nbytes);
	struct filter_range range = filter_range_of(&req);

	return filter_may_conflict(FILTER_ENGINE, &range);
}

static void test_only_what_overlaps_is_held_up(void **state)
{
	struct request req = write_of(REQUEST_BYTES, REQUEST_BYTES);

	(void)state;
	filter_enter(&req);
	assert_true(may_conflict(REQUEST_BYTES, 1));
	assert_true(may_conflict(2 * REQUEST_BYTES - 1, 1));
	filter_leave(&req);
	assert_false(may_conflict(0, 4 * REQUEST_BYTES));
}

/* The ring may end a write early, and the rest goes on. */
static void test_write_in_two_parts_leaves_nothing_behind(void **state)
{
	struct request req = write_of(REQUEST_BYTES, REQUEST_BYTES);
	struct request other = write_of(8 * REQUEST_BYTES, REQUEST_BYTES);

	(void)state;
	filter_enter(&req);
	filter_enter(&other);
	request_advance(&req, REQUEST_BYTES - FILTER_BLOCK_BYTES);
	assert_true(
		may_conflict(REQUEST_BYTES, 1)); /* the order of its bytes is due until it ends */
	filter_leave(&req);
	assert_false(may_conflict(REQUEST_BYTES, REQUEST_BYTES));
	filter_leave(&other);
	assert_false(may_conflict(0, 16 * REQUEST_BYTES));
}

/* A write must not overtake a read, nor a read a write; syncs hold up neither. */
static void test_descriptor_is_clear_of_what_would_conflict(void **state)
{
	struct request req = write_of(0, 1);

	(void)state;
	for (int op = OP_READ; op <= OP_FSYNC; op++) {
		req.op = (uint8_t)op;
		if (op == OP_FSYNC)
			req.nbytes = 0;
		filter_enter(&req);
		assert_int_equal(filter_is_clear(FD, true), op == OP_FSYNC);
		assert_int_equal(filter_is_clear(FD, false), op != OP_WRITE);
		assert_true(filter_is_clear(FD + 1, true));
		filter_leave(&req);
		assert_true(filter_is_clear(FD, true));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_overlaps_is_held_up),
		cmocka_unit_test(test_write_in_two_parts_leaves_nothing_behind),
		cmocka_unit_test(test_descriptor_is_clear_of_what_would_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
