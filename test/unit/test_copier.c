// SPDX-License-Identifier: MIT
/*
 * test_copier.c - what becomes of a request that is handed to the copier
 *
 * The copier may have left since copier_wants() looked.  Then the submitter keeps the
 * request, for which another lane has to be found.
 */
#include "support.h"

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

unsigned submit_ahead_average(void)
{
	return 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_that_no_copier_takes_stays_with_the_submitter),
		cmocka_unit_test(test_request_that_the_copier_takes_is_copied_once),
	};

	return cmocka_run_group_tests_name("copier", tests, NULL, NULL);
}
