// SPDX-License-Identifier: MIT
/*
 * test_explain_advice.c - what rtaio explain advises, by the figures of one process
 *
 * Each test has the figures from which a rule follows, and some that are just short of it.
 */
#include <errno.h>

#include "support.h"
#include "tools/explain_advice.h"
#include "../explain/explain_files.h"

static struct explain_run run;
static struct explain_advice advice[EXPLAIN_ADVICE];
static size_t nr_advice;

/* The command ran as long as the process used AIO. */
static void advise_after(struct explain_file *file, double seconds)
{
	write_file(file, temp_dir(), "1-0");
	memset(&run, 0, sizeof(run));
	check(explain_data_read(&run.data, temp_dir(), MADE_END));
	check(unlink(temp_path("1-0")) == 0);
	run.seconds = seconds;
	run.usage.ru_utime.tv_usec = 30000;
	nr_advice = explain_advise(&run, advice);
	explain_data_free(&run.data);
	free(file);
}

static void advise(struct explain_file *file)
{
	advise_after(file, 0.0005);
}

/* What the rule says, or NULL. */
static const char *text_of(const char *rule)
{
	for (size_t i = 0; i < nr_advice; i++)
		if (strcmp(advice[i].rule, rule) == 0)
			return advice[i].text;
	return NULL;
}

static void check_says(const char *rule, const char *part)
{
	const char *text = text_of(rule);

	if (!text || !strstr(text, part))
		check_failed("%s: \"%s\" lacks \"%s\"", rule, text ? text : "", part);
}

static struct explain_file *with_file(void)
{
	struct explain_file *file = make_file(1);

	make_name(file, 0, 1, "/data");
	return file;
}

/* @nr of a hundred requests are such, the others are cached reads. */
static struct explain_file *mixed(struct explain_sample such, unsigned nr)
{
	struct explain_file *file = with_file();

	make_requests(file, such, nr);
	make_requests(file, make_request(), 100 - nr);
	return file;
}

static struct explain_sample cold_read(void)
{
	struct explain_sample request = make_request();

	request.lane = PROBE_RING;
	request.refusal = REFUSED_miss;
	return request;
}

static struct explain_sample deep(struct explain_sample request)
{
	request.depth = 8;
	return request;
}

static struct explain_sample direct_read(void)
{
	struct explain_sample request = make_request();

	request.flags = O_DIRECT;
	request.lane = PROBE_DIRECT;
	request.refusal = REFUSED_none;
	return request;
}

static struct explain_sample buffered_write(void)
{
	struct explain_sample request = make_request();

	request.op = OP_WRITE;
	return request;
}

static void test_nothing_is_said_of_nothing(void **state)
{
	(void)state;
	advise(make_file(1));
	check_equal(nr_advice, 0);
}

static void test_few_requests_show_no_habit(void **state)
{
	struct explain_file *file = with_file();

	(void)state;
	make_requests(file, cold_read(), 99);
	advise(file);
	check_equal(nr_advice, 0);
}

static void test_errors(void **state)
{
	struct explain_sample request = buffered_write();

	(void)state;
	request.result = -ENOSPC;
	advise(mixed(request, 1));
	check_says("errors", "1 % of the requests failed. The most frequent error is ENOSPC.");
	request.result = -ECANCELED;
	advise(mixed(request, 50));
	check(!text_of("errors"));
}

static void test_misaligned_requests(void **state)
{
	struct explain_sample request = direct_read();

	(void)state;
	request.result = -EINVAL;
	advise(mixed(request, 20));
	check_says("errors",
		   "20 % of the requests failed, 100 % of these with EINVAL. With O_DIRECT");
	request.nbytes = 1000;
	advise(mixed(request, 20));
	check_says("errors", "size or offset that is no multiple of 512 bytes");
}

static void test_program_that_does_something_else(void **state)
{
	struct explain_file *file;

	(void)state;
	/* A hundred requests of 2 us are 0.2 ms. */
	advise_after(mixed(cold_read(), 100), 0.01);
	check_says("little-aio", "at most 2 % of the run");
	advise_after(mixed(cold_read(), 100), 0.0019);
	check(!text_of("little-aio"));
	file = mixed(cold_read(), 100);
	file->rows[0].submitting_ns = 2000000; /* 2 ms more */
	advise_after(file, 0.01);
	check(!text_of("little-aio"));
	file = mixed(cold_read(), 100);
	file->rows[0].submitted = 200; /* of half of them nothing is known */
	advise_after(file, 0.01);
	check(!text_of("little-aio"));
}

static void test_cold_reads_one_by_one(void **state)
{
	(void)state;
	advise(mixed(cold_read(), 94));
	check_says("cold-alone",
		   "94 % of the reads were cold (not in memory), buffered and at depth 1");
	advise(mixed(cold_read(), 49));
	check(!text_of("cold-alone"));
	advise(mixed(deep(cold_read()), 94));
	check(!text_of("cold-alone"));
}

static void test_cold_reads_at_once(void **state)
{
	struct explain_sample request = deep(cold_read());

	(void)state;
	advise(mixed(request, 80));
	check_says("cold-deep",
		   "80 % of the reads were buffered, not in memory, and made at depth 2");
	request.flags = O_DIRECT;
	advise(mixed(request, 80));
	check(!text_of("cold-deep"));
}

static void test_waits_one_by_one(void **state)
{
	struct explain_file *file = mixed(direct_read(), 100);

	(void)state;
	file->rows[0].waiting_ns = (MADE_END - MADE_AT) / 10 * 8;
	advise(file);
	check_says("waits-alone", "100 % of the requests were made at depth 1");
	check_says("waits-alone", "waited for 80 % of their time");
	file = mixed(direct_read(), 100);
	file->rows[0].waiting_ns = (MADE_END - MADE_AT) / 10 * 4;
	advise(file);
	check(!text_of("waits-alone"));
	file = mixed(deep(direct_read()), 100);
	file->rows[0].waiting_ns = (MADE_END - MADE_AT) / 10 * 8;
	advise(file);
	check(!text_of("waits-alone"));
}

static void test_polls(void **state)
{
	struct explain_sample request = make_request();
	struct explain_file *file = mixed(request, 100);

	(void)state;
	file->rows[0].polls = 1200;
	advise(file);
	check_says("polls", "EINPROGRESS 12 times for each request: the program polls");
	request.notify = SIGEV_THREAD;
	file = mixed(request, 100);
	file->rows[0].polls = 1200;
	advise(file);
	check_says("polls", "12 times for each request, though most have a notification");
	file = mixed(make_request(), 100);
	file->rows[0].polls = 400;
	advise(file);
	check(!text_of("polls"));
}

static void test_file_system_that_would_wait(void **state)
{
	struct explain_sample request = buffered_write();

	(void)state;
	request.lane = PROBE_WORKER;
	request.refusal = REFUSED_file_system;
	advise(mixed(request, 60));
	check_says("no-nowait", "100 % of the writes went to worker threads because");
	request.op = OP_READ;
	advise(mixed(request, 60));
	check_says("no-nowait", "60 % of the reads went to worker threads because");
	request.lane = PROBE_RING;
	advise(mixed(request, 60));
	check(!text_of("no-nowait"));
}

static void test_notification_of_direct_requests(void **state)
{
	struct explain_sample request = direct_read();

	(void)state;
	request.lane = PROBE_RING;
	request.refusal = REFUSED_notification;
	request.notify = SIGEV_THREAD;
	advise(mixed(request, 90));
	check_says("notification", "100 % of the O_DIRECT requests asked for a callback");
	request.notify = SIGEV_SIGNAL;
	advise(mixed(request, 90));
	check_says("notification", "asked for a signal");
	request.flags = 0;
	advise(mixed(request, 90));
	check(!text_of("notification"));
}

static struct explain_sample worker_write(void)
{
	struct explain_sample request = deep(buffered_write());

	request.lane = PROBE_WORKER;
	request.refusal = REFUSED_paused;
	return request;
}

static void test_many_writers_of_one_file(void **state)
{
	struct explain_sample request = worker_write();
	struct explain_file *file;

	(void)state;
	advise(mixed(deep(buffered_write()), 70)); /* in the call: depth does not matter */
	check(!text_of("one-file"));
	advise(mixed(worker_write(), 70));
	check_says("one-file", "70 % of the requests were buffered writes to one file at depth 4");
	request.depth = 3;
	advise(mixed(request, 70));
	check(!text_of("one-file"));
	file = make_file(1); /* the files have no names, so they may be many */
	make_requests(file, worker_write(), 100);
	advise(file);
	check(!text_of("one-file"));
}

static void test_lists_of_one_entry(void **state)
{
	struct explain_sample request = make_request();
	struct explain_file *file;

	(void)state;
	request.in_list = 1;
	file = mixed(request, 100);
	file->rows[0].lists = 100;
	advise(file);
	check_says("lists-of-one", "The 100 calls of lio_listio had 1.0 requests each");
	file = with_file();
	make_requests(file, request, 200);
	file->rows[0].lists = 100;
	advise(file);
	check(!text_of("lists-of-one"));
}

static void test_requests_that_nobody_collects(void **state)
{
	struct explain_sample request = make_request();
	struct explain_file *file;

	(void)state;
	request.collected_ns = 0;
	advise(mixed(request, 12));
	check_says("never-collected", "12 % of the requests were never collected");
	file = mixed(request, 12);
	file->ended_ns = 0; /* it was killed before it could */
	advise(file);
	check(!text_of("never-collected"));
}

static void test_short_requests(void **state)
{
	struct explain_sample request = make_request();

	(void)state;
	request.nbytes = 512;
	advise(mixed(request, 80));
	check_says("short", "80 % of the transfers were of at most 1 KiB");
	check_says("short", "300 us of the processor"); /* 30 ms of all */
	request.nbytes = 1025;
	advise(mixed(request, 80));
	check(!text_of("short"));
}

static void test_limit_of_file_sizes(void **state)
{
	struct explain_sample request = buffered_write();

	(void)state;
	request.lane = PROBE_RING;
	request.refusal = REFUSED_limit;
	advise(mixed(request, 20));
	check_says("file-size-limit",
		   "100 % of the writes took a dearer lane because RLIMIT_FSIZE");
}

static void test_settings_that_cost(void **state)
{
	struct explain_sample request = make_request();

	(void)state;
	request.lane = PROBE_RING;
	request.refusal = REFUSED_switched_off;
	advise(mixed(request, 60));
	check_says("switched-off", "60 % of the requests were not tried in the call");
	request.refusal = REFUSED_backend;
	advise(mixed(request, 60));
	check_says("switched-off", "RTAIO_BACKEND=auto uses it");
	advise(mixed(request, 40));
	check(!text_of("switched-off"));
}

static void test_requests_that_overlap(void **state)
{
	struct explain_sample request = buffered_write();

	(void)state;
	request.lane = PROBE_RING;
	request.refusal = REFUSED_overlap;
	advise(mixed(request, 30));
	check_says("overlap", "30 % of the requests took a dearer lane because an earlier one");
}

static void test_other_end_of_a_pipe(void **state)
{
	struct explain_sample request = make_request();

	(void)state;
	request.kind = EXPLAIN_PIPE;
	request.lane = PROBE_ENGINE;
	request.refusal = REFUSED_not_ready;
	advise(mixed(request, 70));
	check_says("slow-peer", "70 % of the requests waited for the other end of a pipe");
}

static void test_data_in_memory(void **state)
{
	(void)state;
	advise(mixed(make_request(), 100));
	check_equal(nr_advice, 1);
	check_says("in-memory",
		   "100 % of the requests were completed by the call that submits them, "
		   "half of all within 1 us");
	advise(mixed(cold_read(), 11));
	check(!text_of("in-memory"));
}

static void test_shortest_way_to_the_disk(void **state)
{
	(void)state;
	advise(mixed(deep(direct_read()), 95));
	check_says("direct", "95 % of the requests were O_DIRECT, at depth 2 or more");
	advise(mixed(direct_read(), 95));
	check(!text_of("direct"));
}

static void test_glibc_has_no_lanes(void **state)
{
	struct explain_sample request = make_request();

	(void)state;
	request.lane = 0;
	request.completed_ns = 0;
	advise(mixed(request, 100));
	check_equal(nr_advice, 0);
}

static void test_no_more_than_three_and_the_worst_first(void **state)
{
	struct explain_sample request = cold_read();
	struct explain_file *file;

	(void)state;
	request.nbytes = 512;
	request.result = -EIO;
	request.collected_ns = 0;
	file = mixed(request, 100);
	file->rows[0].polls = 10000;
	advise(file);
	check_equal(nr_advice, 3);
	assert_string_equal(advice[0].rule, "errors");
	assert_string_equal(advice[1].rule, "cold-alone");
	assert_string_equal(advice[2].rule, "polls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_said_of_nothing),
		cmocka_unit_test(test_few_requests_show_no_habit),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_misaligned_requests),
		cmocka_unit_test(test_program_that_does_something_else),
		cmocka_unit_test(test_cold_reads_one_by_one),
		cmocka_unit_test(test_cold_reads_at_once),
		cmocka_unit_test(test_waits_one_by_one),
		cmocka_unit_test(test_polls),
		cmocka_unit_test(test_file_system_that_would_wait),
		cmocka_unit_test(test_notification_of_direct_requests),
		cmocka_unit_test(test_many_writers_of_one_file),
		cmocka_unit_test(test_lists_of_one_entry),
		cmocka_unit_test(test_requests_that_nobody_collects),
		cmocka_unit_test(test_short_requests),
		cmocka_unit_test(test_limit_of_file_sizes),
		cmocka_unit_test(test_settings_that_cost),
		cmocka_unit_test(test_requests_that_overlap),
		cmocka_unit_test(test_other_end_of_a_pipe),
		cmocka_unit_test(test_data_in_memory),
		cmocka_unit_test(test_shortest_way_to_the_disk),
		cmocka_unit_test(test_glibc_has_no_lanes),
		cmocka_unit_test(test_no_more_than_three_and_the_worst_first),
	};

	return cmocka_run_group_tests_name("explain_advice", tests, NULL, NULL);
}
