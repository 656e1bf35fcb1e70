// SPDX-License-Identifier: MIT
/*
 * test_submit_bursts.c - a program that submits much and computes meanwhile
 *
 * Some requests may be made in the call, since that is as fast as to hand them to
 * somebody.  But a program that asks for no result wants to go on: what it submits
 * after that is made by others.  Here the memory of the later requests is not there
 * until the last call has returned (gate.h): a call that copied would never return.
 */
#include "gate.h"
#include "offload.h"

#define NR_EARLY 256 /* whose memory is there */
#define NR_LATE  64
#define NR_BOTH  (NR_EARLY + NR_LATE)
#define LONGEST  (64 * 1024)
#define ROUNDS   3

struct plan {
	bool is_write, is_on_disk, is_a_list;
	size_t size;
};

static struct aiocb cbs[NR_BOTH];
static char early[NR_EARLY * LONGEST];

static void describe(const struct plan *plan, int fd, char *late)
{
	for (int i = 0; i < NR_BOTH; i++) {
		char *buf = i < NR_EARLY ? early + (size_t)i * plan->size
					 : late + (size_t)(i - NR_EARLY) * plan->size;

		aiocb_init(&cbs[i], fd, buf, plan->size, (off_t)((size_t)i * plan->size));
		cbs[i].aio_lio_opcode = plan->is_write ? LIO_WRITE : LIO_READ;
	}
}

static void submit_all(const struct plan *plan)
{
	struct aiocb *list[NR_BOTH];

	for (int i = 0; i < NR_BOTH; i++) {
		list[i] = &cbs[i];
		if (!plan->is_a_list)
			check_equal(plan->is_write ? aio_write(&cbs[i]) : aio_read(&cbs[i]), 0);
	}
	if (plan->is_a_list)
		check_equal(lio_listio(LIO_NOWAIT, list, NR_BOTH, NULL), 0);
}

static void check_late(const struct plan *plan, int fd, const char *late)
{
	size_t size = NR_LATE * plan->size;
	char *found = malloc(size);

	check(found != NULL);
	check_equal(pread(fd, found, size, (off_t)(NR_EARLY * plan->size)), size);
	check_memory(found, late, size);
	free(found);
}

/* Each round: the results of one before are no reason to copy in the next. */
static int burst_as_planned(void *arg)
{
	const struct plan *plan = arg;
	size_t size = NR_BOTH * plan->size;
	int fd = plan->is_on_disk ? temp_file(0) : memory_file();
	char *data = malloc(size);
	struct gate gate;

	check(data != NULL);
	pattern_fill(data, 0, size);
	check_equal(pwrite(fd, data, size, 0), size);
	free(data);
	for (int round = 0; round < ROUNDS; round++) {
		if (!gate_make(&gate, NR_LATE * plan->size))
			return CHILD_SKIPPED;
		describe(plan, fd, gate.memory);
		submit_all(plan);
		gate_await(&gate);
		gate_open(&gate, 'x');
		for (int i = 0; i < NR_BOTH; i++)
			check_equal(outcome(&cbs[i]), plan->size);
		check_late(plan, fd, gate.memory);
	}
	return 0;
}

/* A program is likely to do in the next burst as in the last, and long writes take time. */
static int burst_once_more(void *arg)
{
	const struct plan *plan = arg;
	size_t size = NR_LATE * plan->size;
	int fd = temp_file(0);
	struct gate gate;

	for (int i = 0; i < NR_EARLY; i++)
		submit_write(&cbs[i], fd, early, plan->size, (off_t)((size_t)i * plan->size));
	for (int i = 0; i < NR_EARLY; i++)
		check_equal(outcome(&cbs[i]), plan->size);
	if (!gate_make(&gate, size))
		return CHILD_SKIPPED;
	for (size_t i = 0; i < NR_LATE; i++)
		submit_write(&cbs[i], fd, gate.memory + i * plan->size, plan->size,
			     (off_t)((NR_EARLY + i) * plan->size));
	gate_await(&gate);
	gate_open(&gate, 'x');
	for (int i = 0; i < NR_LATE; i++)
		check_equal(outcome(&cbs[i]), plan->size);
	check_late(plan, fd, gate.memory);
	return 0;
}

#define TEST_PLAN(test, ...) TEST_WITH_PLAN(test, burst_as_planned, 40000, __VA_ARGS__)

TEST_PLAN(test_burst_of_long_reads_is_not_copied_in_the_calls, false, true, false, LONGEST)
TEST_PLAN(test_burst_of_short_reads_is_not_copied_in_the_calls, false, true, false, BLOCK)
TEST_PLAN(test_burst_of_long_writes_is_not_copied_in_the_calls, true, true, false, LONGEST)
TEST_PLAN(test_burst_of_short_writes_is_not_copied_in_the_calls, true, true, false, BLOCK)
TEST_PLAN(test_burst_of_reads_from_memory_is_not_copied_in_the_calls, false, false, false, BLOCK)
TEST_PLAN(test_burst_of_writes_to_memory_is_not_copied_in_the_calls, true, false, false, BLOCK)
TEST_PLAN(test_list_of_reads_is_not_copied_in_the_call, false, true, true, BLOCK)
TEST_PLAN(test_list_of_writes_is_not_copied_in_the_call, true, true, true, BLOCK)
TEST_WITH_PLAN(test_second_burst_of_long_writes_is_not_copied_at_all, burst_once_more, 40000, true,
	       true, false, LONGEST)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_of_long_reads_is_not_copied_in_the_calls),
		cmocka_unit_test(test_burst_of_short_reads_is_not_copied_in_the_calls),
		cmocka_unit_test(test_burst_of_long_writes_is_not_copied_in_the_calls),
		cmocka_unit_test(test_burst_of_short_writes_is_not_copied_in_the_calls),
		cmocka_unit_test(test_burst_of_reads_from_memory_is_not_copied_in_the_calls),
		cmocka_unit_test(test_burst_of_writes_to_memory_is_not_copied_in_the_calls),
		cmocka_unit_test(test_list_of_reads_is_not_copied_in_the_call),
		cmocka_unit_test(test_list_of_writes_is_not_copied_in_the_call),
		cmocka_unit_test(test_second_burst_of_long_writes_is_not_copied_at_all),
	};

	return cmocka_run_group_tests_name("submit_bursts", tests, NULL, NULL);
}
