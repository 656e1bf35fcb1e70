// SPDX-License-Identifier: MIT
/*
 * test_copier.c - what becomes of a request that is handed to the copier
 *
 * The copier may have left since copier_wants() looked.  Then the submitter keeps the
 * request, for which another lane has to be found.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/config.h"
#include "engine/engine.h"
#include "lane/copier.h"
#include "lane/inline.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"
#include "request/fd_hints.h"

#define SIZE 100

static struct request request = { .op = OP_READ, .nbytes = SIZE, .copy_kind = FILE_MEMORY };
static atomic_int nr_copied, nr_ended, nr_returned;

/* ---- in the place of other modules ---- */

bool inline_perform(struct request *req, enum file_kind kind, ssize_t *res)
{
	check_equal(kind, FILE_MEMORY);
	*res = (ssize_t)req->nbytes;
	atomic_fetch_add(&nr_copied, 1);
	return true;
}

void bypass_return(struct request *req, uint32_t generation)
{
	(void)req;
	(void)generation;
	atomic_fetch_add(&nr_returned, 1);
}

bool engine_ask(enum engine_ask what)
{
	check_equal(what, ENGINE_ASK_COPIER);
	return false;
}

static unsigned average;

unsigned submit_ahead_average(void)
{
	return average;
}

static void note_end(struct request *req, bool is_done)
{
	check(req == &request && is_done);
	check_equal(req->res, SIZE);
	atomic_fetch_add(&nr_ended, 1);
}

/* ---- tests ---- */

static void begin(void)
{
	copier_start(note_end);
	copier_after_fork();
	config.is_always_ahead = true;
	nr_copied = nr_ended = nr_returned = 0;
}

static void test_request_that_no_copier_takes_stays_with_the_submitter(void **state)
{
	(void)state;
	begin();
	check(!copier_submit(&request));
	check_equal(nr_returned, 0);
}

static void test_request_that_the_copier_takes_is_copied_once(void **state)
{
	(void)state;
	begin();
	eventually(copier_wants(&request, FILE_NOWAIT));
	check(copier_submit(&request));
	eventually(nr_ended == 1);
	check_equal(nr_copied, 1);
	check_equal(nr_returned, 1);
}

/* ---- who may hand over ---- */

static bool wants(size_t nbytes)
{
	const struct request read = { .op = OP_READ, .nbytes = nbytes };

	return copier_wants(&read, FILE_NOWAIT);
}

static void *want_once(void *wanted)
{
	*(bool *)wanted = wants(4096);
	return NULL;
}

/* Two threads that read have a processor each. */
static void test_threads_that_read_together_copy_themselves(void **state)
{
	pthread_t thread;
	bool wanted = true;

	(void)state;
	begin();
	config.is_always_ahead = false;
	average = 64;
	eventually(wants(4096));
	check(wants(4096));
	check_equal(pthread_create(&thread, NULL, want_once, &wanted), 0);
	check_equal(pthread_join(thread, NULL), 0);
	check(!wanted);
	check(!wants(4096));
	eventually(wants(4096)); /* the other one is gone */
}

/* The hand-over of a short copy costs as much as the copy. */
static void test_short_copies_are_handed_over_only_if_many_are_in_flight(void **state)
{
	(void)state;
	begin();
	config.is_always_ahead = false;
	average = 64;
	eventually(wants(4096));
	average = 8;
	check(!wants(4096));
	check(wants(8192));
	average = 3;
	check(!wants(8192));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_that_no_copier_takes_stays_with_the_submitter),
		cmocka_unit_test(test_request_that_the_copier_takes_is_copied_once),
		cmocka_unit_test(test_threads_that_read_together_copy_themselves),
		cmocka_unit_test(test_short_copies_are_handed_over_only_if_many_are_in_flight),
	};

	return cmocka_run_group_tests_name("copier", tests, NULL, NULL);
}
