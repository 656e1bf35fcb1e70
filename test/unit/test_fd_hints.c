// SPDX-License-Identifier: MIT
/*
 * test_fd_hints.c - what is remembered of a descriptor, for how long, and what is forgotten
 */
#include "support.h"

#include <pthread.h>

#include "request/fd_hints.h"
#include "request/request.h"

#define FD     5
#define TABLE  1024 /* descriptors that far apart share a place */
#define KIB128 131072

/* The tests share the table. */
static void forget_all(void)
{
	fd_hints_drop(0, ~0u);
}

/* ---- the kind ---- */

static void test_kind_is_that_of_the_descriptor_and_its_flags(void **state)
{
	(void)state;
	forget_all();
	check_equal(fd_hints_recall(FD, O_RDWR), FILE_UNKNOWN);
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	check_equal(fd_hints_recall(FD, O_RDWR), FILE_NOWAIT);
	check_equal(fd_hints_recall(FD, O_RDWR | O_DIRECT), FILE_UNKNOWN);
	check_equal(fd_hints_recall(FD, O_RDONLY), FILE_UNKNOWN);
	check_equal(fd_hints_recall(FD + 1, O_RDWR), FILE_UNKNOWN);
	check_equal(fd_hints_recall(FD + TABLE, O_RDWR), FILE_UNKNOWN);
	fd_hints_note(FD, O_RDWR, FILE_COPIED_WRITES);
	check_equal(fd_hints_recall(FD, O_RDWR), FILE_COPIED_WRITES);
}

static void test_only_streams_were_streams(void **state)
{
	(void)state;
	forget_all();
	check(!fd_hints_was_stream(FD));
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	check(!fd_hints_was_stream(FD));
	fd_hints_note(FD, O_RDWR, FILE_STREAM);
	check(fd_hints_was_stream(FD));
	check(!fd_hints_was_stream(FD + TABLE));
}

static int times_trusted(int fd)
{
	enum file_kind kind;
	int nr = 0, flags;

	while (nr < 1000 && fd_hints_trust(fd, &kind, &flags))
		nr++;
	return nr;
}

static void test_kind_is_taken_on_trust_a_few_times(void **state)
{
	static const enum file_kind never[] = { FILE_OTHER, FILE_STREAM, FILE_DIRECT_RING,
						FILE_DIRECT, FILE_DIRECT_WAITING };
	static const enum file_kind trusted[] = { FILE_MEMORY, FILE_NOWAIT, FILE_NOWAIT_LOCAL,
						  FILE_NOWAIT_READS, FILE_COPIED_WRITES };
	enum file_kind kind;
	int flags;

	(void)state;
	forget_all();
	check_equal(times_trusted(FD), 0);
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		fd_hints_note(FD, O_RDWR, never[i]);
		check_equal(times_trusted(FD), 0);
	}
	for (size_t i = 0; i < sizeof(trusted) / sizeof(*trusted); i++) {
		fd_hints_note(FD, O_RDWR, trusted[i]);
		check(fd_hints_trust(FD, &kind, &flags));
		check_equal(kind, trusted[i]);
		check_equal(flags, O_RDWR);
		check(!fd_hints_trust(FD + TABLE, &kind, &flags));
		check_equal(times_trusted(FD), 14);
		check_equal(fd_hints_recall(FD, O_RDWR), trusted[i]);
	}
}

static void *use_trust_of_a_thread(void *unused)
{
	(void)unused;
	check_equal(times_trusted(FD), 0);
	check_equal(fd_hints_recall(FD, O_RDWR), FILE_NOWAIT);
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	check_equal(times_trusted(FD), 15);
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	return NULL;
}

/* Then no thread writes what all read. */
static void test_each_thread_counts_its_own_uses(void **state)
{
	pthread_t thread;

	(void)state;
	forget_all();
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	check_equal(pthread_create(&thread, NULL, use_trust_of_a_thread, NULL), 0);
	pthread_join(thread, NULL);
	check_equal(times_trusted(FD), 15);
	fd_hints_note(FD, O_RDWR, FILE_NOWAIT);
	forget_all();
	check_equal(times_trusted(FD), 0);
}

/* ---- misses ---- */

static void miss(int nr)
{
	for (int i = 0; i < nr; i++)
		fd_hints_note_read(FD, false);
}

static int nr_skipped(int nr)
{
	int nr_expected = 0;

	for (int i = 0; i < nr; i++)
		nr_expected += fd_hints_expects_miss(FD);
	return nr_expected;
}

static void test_misses_in_a_row_are_expected(void **state)
{
	(void)state;
	forget_all();
	miss(3);
	check_equal(nr_skipped(2), 0);
	fd_hints_note_read(FD, true);
	miss(3);
	check_equal(nr_skipped(2), 0);
	miss(1);
	check_equal(nr_skipped(2), 1);
	check(!fd_hints_expects_miss(FD + 1));
	check(!fd_hints_expects_miss(FD + 1));
	fd_hints_note_read(FD, true);
	check_equal(nr_skipped(2), 0);
}

static void test_reads_that_miss_are_tried_now_and_then(void **state)
{
	(void)state;
	forget_all();
	miss(4);
	/* The first one is tried, then one of sixteen. */
	check(!fd_hints_expects_miss(FD));
	check_equal(nr_skipped(15), 15);
	check(!fd_hints_expects_miss(FD));
	check_equal(nr_skipped(160), 150);
}

static void test_hit_ends_the_expectation(void **state)
{
	(void)state;
	forget_all();
	miss(4);
	nr_skipped(2);
	fd_hints_note_read(FD, true);
	check_equal(nr_skipped(100), 0);
	miss(4);
	check(!fd_hints_expects_miss(FD));
}

/* ---- requests that are withheld ---- */

static unsigned class_of(int fd, enum request_op op, size_t nbytes)
{
	struct request req = { .fd = fd, .op = op, .nbytes = nbytes };

	return fd_hints_class(&req);
}

/* How many requests in a row are refused to the direct lane by @is_refused? */
static unsigned nr_refused(bool (*is_refused)(unsigned class), unsigned class)
{
	unsigned nr = 0;

	while (nr < 1000000 && is_refused(class))
		nr++;
	return nr;
}

static unsigned nr_withheld(unsigned class)
{
	return nr_refused(fd_hints_withholds, class);
}

static unsigned nr_for_engine(unsigned class)
{
	return nr_refused(fd_hints_prefers_engine, class);
}

static void take(unsigned class, int nr)
{
	for (int i = 0; i < nr; i++)
		fd_hints_note_taken(class, 0);
}

static void test_classes_are_apart(void **state)
{
	const unsigned classes[] = {
		class_of(FD, OP_READ, 4096),  class_of(FD, OP_READ, KIB128 + 1),
		class_of(FD, OP_WRITE, 4096), class_of(FD, OP_WRITE, KIB128 + 1),
		class_of(FD + 1, OP_READ, 1), class_of(FD - 1, OP_WRITE, KIB128 + 1),
	};

	(void)state;
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < i; j++)
			check(classes[i] != classes[j]);
	check_equal(class_of(FD, OP_READ, KIB128), classes[0]);
}

static void test_refusals_withhold_twice_as_many_each_time(void **state)
{
	const unsigned class = class_of(FD, OP_READ, 4096), other = class_of(FD, OP_WRITE, 4096);
	unsigned nr = 64;

	(void)state;
	forget_all();
	check(!fd_hints_withholds(class));
	for (int i = 0; i < 40; i++) {
		fd_hints_note_refused(class);
		fd_hints_note_refused(class); /* what was submitted before tells nothing new */
		check_equal(nr_withheld(class), nr - 1);
		check(!fd_hints_withholds(other));
		if (nr < 65536)
			nr *= 2;
	}
}

static void test_refusals_are_forgotten_one_by_one(void **state)
{
	const unsigned class = class_of(FD, OP_READ, 4096);

	(void)state;
	forget_all();
	for (int i = 0; i < 3; i++) {
		fd_hints_note_refused(class);
		nr_withheld(class);
	}
	take(class, 31);
	fd_hints_note_refused(class);
	check_equal(nr_withheld(class), 511);
	take(class, 32);
	fd_hints_note_refused(class);
	check_equal(nr_withheld(class), 511);
	take(class, 4 * 32);
	check(fd_hints_is_watched(class));
	take(class, 32);
	check(!fd_hints_is_watched(class));
	fd_hints_note_refused(class);
	check_equal(nr_withheld(class), 63);
}

static void test_slow_submission_is_followed_by_watched_ones(void **state)
{
	const unsigned class = class_of(FD, OP_READ, 4096);

	(void)state;
	forget_all();
	take(class, 1);
	check(!fd_hints_is_watched(class));
	fd_hints_note_taken(class, SUBMISSION_SLOW);
	take(class, 31);
	check(fd_hints_is_watched(class));
	take(class, 1);
	check(!fd_hints_is_watched(class));
	fd_hints_note_refused(class);
	check(fd_hints_is_watched(class));
}

static void test_one_long_submission_withholds_nothing(void **state)
{
	const unsigned class = class_of(FD, OP_READ, 4096);

	(void)state;
	forget_all();
	fd_hints_note_taken(class, SUBMISSION_SLOW);
	for (int i = 0; i < 5; i++) {
		fd_hints_note_taken(class, SUBMISSION_SLOW | SUBMISSION_LONG);
		take(class, 1);
		check(!fd_hints_withholds(class));
	}
	fd_hints_note_taken(class, SUBMISSION_SLOW | SUBMISSION_LONG);
	fd_hints_note_taken(class, SUBMISSION_SLOW | SUBMISSION_LONG);
	check_equal(nr_withheld(class), 63);
}

static void submit_costly(unsigned class, int nr)
{
	for (int i = 0; i < nr; i++)
		fd_hints_note_taken(class, SUBMISSION_SLOW | SUBMISSION_COSTLY);
}

static void test_engine_is_preferred_while_most_submissions_are_costly(void **state)
{
	const unsigned class = class_of(FD, OP_WRITE, 4096), other = class_of(FD, OP_READ, 4096);

	(void)state;
	forget_all();
	submit_costly(class, 15);
	check_equal(nr_for_engine(class), 0);
	submit_costly(class, 1);
	check_equal(nr_for_engine(other), 0);
	check_equal(nr_for_engine(class), 1024);
	submit_costly(class, 7);
	check_equal(nr_for_engine(class), 0);
	submit_costly(class, 1);
	check_equal(nr_for_engine(class), 1024);
	for (int i = 0; i < 1000; i++) {
		submit_costly(class, 1);
		take(class, 1);
	}
	check_equal(nr_for_engine(class), 0);
}

/* ---- what is forgotten ---- */

/* Is all of that descriptor as if it had never been used? */
static bool is_forgotten(int fd)
{
	const unsigned class = class_of(fd, OP_WRITE, KIB128 + 1);
	bool is_unknown = fd_hints_recall(fd, O_RDWR) == FILE_UNKNOWN;

	fd_hints_expects_miss(fd); /* this one is tried */
	check_equal(fd_hints_expects_miss(fd), !is_unknown);
	check_equal(fd_hints_is_watched(class), !is_unknown);
	check_equal(fd_hints_withholds(class), !is_unknown);
	return is_unknown;
}

static void use(int fd)
{
	fd_hints_note(fd, O_RDWR, FILE_NOWAIT);
	for (int i = 0; i < 4; i++)
		fd_hints_note_read(fd, false);
	fd_hints_note_refused(class_of(fd, OP_WRITE, KIB128 + 1));
}

static void test_range_is_forgotten_and_no_more(void **state)
{
	(void)state;
	forget_all();
	for (int fd = FD - 1; fd <= FD + 3; fd++)
		use(fd);
	fd_hints_drop(FD, FD + 2);
	check(!is_forgotten(FD - 1));
	check(is_forgotten(FD) && is_forgotten(FD + 1) && is_forgotten(FD + 2));
	check(!is_forgotten(FD + 3));
	fd_hints_drop(FD + 3, FD + 3);
	check(is_forgotten(FD + 3));
}

static void test_long_range_is_forgotten(void **state)
{
	static const unsigned lasts[] = { FD + TABLE - 1, FD + TABLE, 3 * TABLE, ~0u };

	(void)state;
	for (int i = 0; i < 4; i++) {
		for (int fd = FD; fd < FD + TABLE; fd++)
			use(fd);
		fd_hints_drop(FD, lasts[i]);
		for (int fd = FD; fd < FD + TABLE; fd++)
			check(is_forgotten(fd));
	}
	use(FD - 1);
	fd_hints_drop(FD, FD + TABLE - 2);
	check(!is_forgotten(FD - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kind_is_that_of_the_descriptor_and_its_flags),
		cmocka_unit_test(test_only_streams_were_streams),
		cmocka_unit_test(test_kind_is_taken_on_trust_a_few_times),
		cmocka_unit_test(test_each_thread_counts_its_own_uses),
		cmocka_unit_test(test_misses_in_a_row_are_expected),
		cmocka_unit_test(test_reads_that_miss_are_tried_now_and_then),
		cmocka_unit_test(test_hit_ends_the_expectation),
		cmocka_unit_test(test_classes_are_apart),
		cmocka_unit_test(test_refusals_withhold_twice_as_many_each_time),
		cmocka_unit_test(test_refusals_are_forgotten_one_by_one),
		cmocka_unit_test(test_slow_submission_is_followed_by_watched_ones),
		cmocka_unit_test(test_one_long_submission_withholds_nothing),
		cmocka_unit_test(test_engine_is_preferred_while_most_submissions_are_costly),
		cmocka_unit_test(test_range_is_forgotten_and_no_more),
		cmocka_unit_test(test_long_range_is_forgotten),
	};

	return cmocka_run_group_tests_name("fd_hints", tests, NULL, NULL);
}
