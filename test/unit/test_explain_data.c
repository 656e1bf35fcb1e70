// SPDX-License-Identifier: MIT
/*
 * test_explain_data.c - rtaio explain adds up what processes noted
 */
#include <errno.h>

#include "support.h"
#include "tools/explain_data.h"
#include "tools/explain_format.h"
#include "tools/explain_tables.h"
#include "../explain/explain_files.h"

#define NOW (MADE_END + UINT64_C(1000000000))

static const char *directory;
static struct explain_data data;

static void remove_file(const char *name)
{
	check(unlink(temp_path(name)) == 0);
}

/* What is read of one process. */
static void read_one(struct explain_file *file)
{
	write_file(file, directory, "1-0");
	check(explain_data_read(&data, directory, NOW));
	remove_file("1-0");
	free(file);
}

static void add_latency(struct explain_file *file, unsigned nr, uint32_t weight, uint64_t ns)
{
	struct explain_sample request = make_request();

	request.weight = weight;
	request.completed_ns = request.submitted_ns + ns;
	make_requests(file, request, nr);
}

static void test_nothing_is_read_of_an_empty_directory(void **state)
{
	(void)state;
	check(explain_data_read(&data, directory, NOW));
	check_equal(data.nr_processes, 0);
	check_equal(data.totals.submitted, 0);
	explain_data_free(&data);
	check(!explain_data_read(&data, "/nowhere", NOW));
}

static void test_counters_of_all_threads_are_added(void **state)
{
	struct explain_file *file = make_file(1);

	(void)state;
	file->rows[0].submitted = 3;
	file->rows[0].waiting_ns = 30;
	file->rows[EXPLAIN_ROWS - 1].submitted = 4;
	file->rows[EXPLAIN_ROWS - 1].polls = 5;
	read_one(file);
	check_equal(data.totals.submitted, 7);
	check_equal(data.totals.polls, 5);
	check_equal(data.totals.waiting_ns, 30);
	check_equal(data.totals.threads, 2);
	check(data.thread_ns == 2.0 * (double)(MADE_END - MADE_AT));
	explain_data_free(&data);
}

static void test_no_thread_waits_for_longer_than_it_was_there(void **state)
{
	struct explain_file *file = make_file(1);

	(void)state;
	make_requests(file, make_request(), 1);
	file->rows[0].submitting_ns = 500;
	file->rows[0].waiting_ns = 2 * (MADE_END - MADE_AT);
	read_one(file);
	check_equal(data.totals.submitting_ns, 500);
	check_equal(data.totals.waiting_ns, MADE_END - MADE_AT - 500);
	explain_data_free(&data);
}

static void test_quantiles_count_weights(void **state)
{
	struct explain_file *file = make_file(1);
	struct explain_latency latency;

	(void)state;
	add_latency(file, 1, 1, 9000);
	add_latency(file, 2, 49, 1000);
	add_latency(file, 1, 1, 5000);
	read_one(file);
	check(data.weight == 100);
	explain_latency(&data, EXPLAIN_COMPLETION, &latency);
	check_equal(latency.p50_ns, 1000);
	check_equal(latency.p99_ns, 5000);
	check_equal(latency.longest_ns, 9000);
	check(latency.mean_ns == 1120);
	explain_data_free(&data);
}

static void test_half_is_reached_by_the_request_in_the_middle(void **state)
{
	struct explain_file *file = make_file(1);
	struct explain_latency latency;

	(void)state;
	for (unsigned i = 1; i <= 4; i++)
		add_latency(file, 1, 1, 1000 * i);
	read_one(file);
	explain_latency(&data, EXPLAIN_COMPLETION, &latency);
	check_equal(latency.p50_ns, 2000);
	check_equal(latency.p99_ns, 4000);
	explain_data_free(&data);
}

static void test_histogram_has_each_request_below_its_limit(void **state)
{
	static const uint64_t times[] = { 0, 99, 100, 299, 300, 999, 1000, UINT64_C(400000000000) };
	static const unsigned steps[] = { 0, 0, 1, 1, 2, 2, 3, EXPLAIN_STEPS - 1 };
	double expected[EXPLAIN_STEPS] = { 0 };
	struct explain_file *file = make_file(1);
	struct explain_latency latency;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		add_latency(file, 1, 1, times[i]);
		expected[steps[i]]++;
	}
	read_one(file);
	explain_latency(&data, EXPLAIN_COMPLETION, &latency);
	for (unsigned i = 0; i < EXPLAIN_STEPS; i++)
		check(latency.steps[i] == expected[i]);
	explain_data_free(&data);
}

static void test_end_that_nobody_saw_is_not_counted(void **state)
{
	struct explain_file *file = make_file(1);
	struct explain_sample request = make_request();
	struct explain_latency latency;

	(void)state;
	request.completed_ns = 0;
	make_requests(file, request, 10);
	read_one(file);
	explain_latency(&data, EXPLAIN_COMPLETION, &latency);
	check(latency.weight == 0);
	explain_latency(&data, EXPLAIN_COLLECTION, &latency);
	check(latency.weight == 10);
	check_equal(latency.p50_ns, 2000);
	explain_data_free(&data);
}

static void test_full_sample_stands_for_more(void **state)
{
	struct explain_file *file = make_file(1);

	(void)state;
	make_requests(file, make_request(), EXPLAIN_SAMPLES);
	file->nr_samples = UINT64_C(4) * EXPLAIN_SAMPLES;
	read_one(file);
	check(data.weight == 4.0 * EXPLAIN_SAMPLES);
	explain_data_free(&data);
}

static void test_weights_of_processes_are_apart(void **state)
{
	struct explain_file *one = make_file(1), *two = make_file(2);
	struct explain_sample rare = make_request();

	(void)state;
	rare.weight = 9;
	rare.op = OP_WRITE;
	make_name(one, 0, 7, "/same");
	make_name(two, 5, 7, "/same");
	rare.file = 5;
	make_requests(one, make_request(), 10);
	make_requests(two, rare, 10);
	write_file(one, directory, "1-0");
	write_file(two, directory, "2-0");
	check(explain_data_read(&data, directory, NOW));
	remove_file("1-0");
	remove_file("2-0");
	check_equal(data.nr_processes, 2);
	check_equal(data.processes[0].pid, 2);
	check_equal(data.totals.submitted, 100);
	check(data.weight == 100);
	check_equal(data.nr_files, 1);
	check(data.files[0].weight == 100);
	assert_string_equal(data.files[0].path, "/same");
	explain_data_free(&data);
	free(one);
	free(two);
}

static void test_busiest_file_comes_first(void **state)
{
	struct explain_file *file = make_file(1);
	struct explain_sample second = make_request();

	(void)state;
	second.file = 1;
	make_name(file, 0, 10, "/idle");
	make_name(file, 1, 11, "/busy");
	make_requests(file, make_request(), 1);
	make_requests(file, second, 3);
	read_one(file);
	check_equal(data.nr_files, 2);
	assert_string_equal(data.files[0].path, "/busy");
	for (size_t i = 0; i < data.nr_requests; i++)
		check_equal(data.requests[i].file, i == 0);
	explain_data_free(&data);
}

static void test_bytes_are_those_of_all_requests(void **state)
{
	struct explain_file *file = make_file(1);

	(void)state;
	make_requests(file, make_request(), 10);
	file->rows[0].submitted = 20; /* half of them left no sample */
	read_one(file);
	check(data.bytes == 20 * 4096.0);
	explain_data_free(&data);
}

static void test_file_that_was_cut_short_is_read_as_far_as_it_goes(void **state)
{
	struct explain_file *file = make_file(1);

	(void)state;
	make_requests(file, make_request(), 100);
	file->ended_ns = 0;
	for (size_t length = 0; length < sizeof(*file); length += 997) {
		write_part(file, length, directory, "1-0");
		check(explain_data_read(&data, directory, NOW));
		check_equal(data.nr_processes + data.nr_skipped, 1);
		check_equal(data.nr_processes, length >= offsetof(struct explain_file, rows));
		check(data.weight <= 100);
		explain_data_free(&data);
	}
	read_one(file);
	check(data.processes[0].is_killed);
	check_equal(data.processes[0].ended_ns, NOW);
	check(data.weight == 100);
	explain_data_free(&data);
}

static void test_nonsense_in_a_sample_is_survived(void **state)
{
	struct explain_file *file = make_file(1);
	struct explain_table table;

	(void)state;
	memset(file->samples, 0xff, sizeof(file->samples));
	memset(file->names, 0xff, sizeof(file->names));
	for (unsigned i = 1; i < EXPLAIN_SAMPLES; i++)
		file->samples[i].op = OP_READ;
	read_one(file);
	check_equal(data.nr_requests, EXPLAIN_SAMPLES - 1);
	for (unsigned view = 0; view < EXPLAIN_VIEWS; view++) {
		explain_tabulate(&data, (enum explain_view)view, &table);
		for (size_t i = 0; i < table.nr; i++)
			check(explain_label((enum explain_view)view, table.lines[i].key)[0]);
	}
	explain_data_free(&data);
}

static void check_label(enum explain_view view, struct explain_sample request, const char *expected)
{
	struct explain_file *file = make_file(1);
	struct explain_table table;

	make_requests(file, request, 1);
	read_one(file);
	explain_tabulate(&data, view, &table);
	check_equal(table.nr, 1);
	assert_string_equal(explain_label(view, table.lines[0].key), expected);
	explain_data_free(&data);
}

static void test_labels_name_what_was_asked_for(void **state)
{
	struct explain_sample request = make_request();

	(void)state;
	check_label(EXPLAIN_BY_KIND, request, "read, file, buffered");
	check_label(EXPLAIN_BY_SIZE, request, "4 KiB");
	check_label(EXPLAIN_BY_DEPTH, request, "1");
	request.op = OP_WRITE;
	request.flags = O_WRONLY | O_DIRECT | O_APPEND;
	request.nbytes = 5000;
	request.depth = 5;
	request.lane = PROBE_WORKER;
	request.refusal = REFUSED_file_system;
	request.result = -ENOSPC;
	check_label(EXPLAIN_BY_KIND, request, "write, file, O_DIRECT, O_APPEND");
	check_label(EXPLAIN_BY_SIZE, request, "4 KiB to 8 KiB");
	check_label(EXPLAIN_BY_DEPTH, request, "4 to 7");
	check_label(EXPLAIN_BY_LANE, request, "worker");
	check_label(EXPLAIN_BY_REASON, request,
		    "the file, or its file system, takes no RWF_NOWAIT");
	check_label(EXPLAIN_BY_ERROR, request, "ENOSPC");
	request.kind = EXPLAIN_PIPE;
	request.nbytes = 0;
	check_label(EXPLAIN_BY_KIND, request, "write, pipe");
	check_label(EXPLAIN_BY_SIZE, request, "0 B");
}

static void test_figures_are_short(void **state)
{
	(void)state;
	assert_string_equal(format_count(1234567), "1,234,567");
	assert_string_equal(format_count(999), "999");
	assert_string_equal(format_bytes(4096), "4 KiB");
	assert_string_equal(format_bytes(1536), "1.5 KiB");
	assert_string_equal(format_bytes(1048575.9), "1 MiB");
	assert_string_equal(format_time(999), "999 ns");
	assert_string_equal(format_time(1234), "1.2 us");
	assert_string_equal(format_time(999999), "1 ms");
	assert_string_equal(format_time(12.4e9), "12 s");
	assert_string_equal(format_percent(0), "0 %");
	assert_string_equal(format_percent(0.0001), "<0.1 %");
	assert_string_equal(format_percent(0.5), "50 %");
	assert_string_equal(format_percent(0.995), "99.5 %");
	assert_string_equal(format_percent(1), "100 %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_read_of_an_empty_directory),
		cmocka_unit_test(test_counters_of_all_threads_are_added),
		cmocka_unit_test(test_no_thread_waits_for_longer_than_it_was_there),
		cmocka_unit_test(test_quantiles_count_weights),
		cmocka_unit_test(test_half_is_reached_by_the_request_in_the_middle),
		cmocka_unit_test(test_histogram_has_each_request_below_its_limit),
		cmocka_unit_test(test_end_that_nobody_saw_is_not_counted),
		cmocka_unit_test(test_full_sample_stands_for_more),
		cmocka_unit_test(test_weights_of_processes_are_apart),
		cmocka_unit_test(test_busiest_file_comes_first),
		cmocka_unit_test(test_bytes_are_those_of_all_requests),
		cmocka_unit_test(test_file_that_was_cut_short_is_read_as_far_as_it_goes),
		cmocka_unit_test(test_nonsense_in_a_sample_is_survived),
		cmocka_unit_test(test_labels_name_what_was_asked_for),
		cmocka_unit_test(test_figures_are_short),
	};

	directory = temp_dir();
	return cmocka_run_group_tests_name("explain_data", tests, NULL, NULL);
}
