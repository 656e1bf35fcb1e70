// SPDX-License-Identifier: MIT
/*
 * test_lines.c - what different threads write lies in different cache lines
 */
#include "support.h"

#include <stddef.h>

#include "base/descriptor.h"
#include "base/thread.h"
#include "engine/inbox.h"
#include "engine/reaper_call.h"
#include "request/request.h"

static void test_records_share_no_line(void **state)
{
	(void)state;
	check_equal(_Alignof(struct request), CACHE_LINE);
	check_equal(sizeof(struct request) % CACHE_LINE, 0);
}

/* What a thread that completes a request of the direct lane reads and writes. */
static void test_completion_needs_two_lines_of_a_record(void **state)
{
#define END(member) (offsetof(struct request, member) + sizeof(((struct request *)0)->member))
	static const size_t ends[] = {
		END(message),   END(word),    END(index),
		END(free_next), END(waiters), END(cb),
		END(nbytes),    END(op),      END(offset),
		END(fd),        END(place),   END(descriptor),
		END(group),     END(done),    END(nr_in_flight),
		END(slot),      END(is_held), END(refuses_nowait),
	};
#undef END

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		check(ends[i] <= 2 * CACHE_LINE);
}

static void test_words_that_submitters_write_lie_alone(void **state)
{
	(void)state;
	check_equal(_Alignof(struct inbox), CACHE_LINE);
	check_equal(_Alignof(struct reaper_call), CACHE_LINE);
}

static void test_neighbouring_descriptors_share_no_line(void **state)
{
	const unsigned nr_lines = DESCRIPTOR_BUCKETS * sizeof(*descriptor_held) / CACHE_LINE;
	static bool is_used[DESCRIPTOR_BUCKETS];

	(void)state;
	check_equal((uintptr_t)descriptor_held % CACHE_LINE, 0);
	for (unsigned fd = 0; fd < DESCRIPTOR_BUCKETS; fd++) {
		unsigned bucket = descriptor_bucket((int)fd);

		check(bucket < DESCRIPTOR_BUCKETS);
		check(!is_used[bucket]);
		is_used[bucket] = true;
		check_equal(bucket * sizeof(*descriptor_held) / CACHE_LINE, fd % nr_lines);
		check_equal(descriptor_bucket((int)(fd + DESCRIPTOR_BUCKETS)), bucket);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_share_no_line),
		cmocka_unit_test(test_completion_needs_two_lines_of_a_record),
		cmocka_unit_test(test_words_that_submitters_write_lie_alone),
		cmocka_unit_test(test_neighbouring_descriptors_share_no_line),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
