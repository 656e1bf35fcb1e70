// SPDX-License-Identifier: MIT
/*
 * test_submit_waits.c - calls that submit do not wait for a device
 *
 * A thread that sleeps in the kernel gives its processor up of its own accord,
 * which the kernel counts.  Hence this does not depend on how busy the machine
 * is.  A lock that is contended may put a caller to sleep now and then: one
 * call in a hundred is allowed to.
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/resource.h>

#define SIZE  4096
#define DEPTH 32
#define NR    2000

static unsigned long nr_sleeps(void)
{
	struct rusage usage;

	check_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return (unsigned long)usage.ru_nvcsw;
}

/* ---- a thread that makes the file system busy, as a log's would ---- */

static atomic_bool is_over;

static void *sync_again_and_again(void *fd)
{
	while (!atomic_load(&is_over))
		check_equal(fdatasync(*(int *)fd), 0);
	return NULL;
}

/* ---- a log that grows, and a new file that is filled anywhere ---- */

static off_t at_the_end(int i)
{
	return (off_t)i * SIZE;
}

/* Each place once: 1201 and the count have no common factor. */
static off_t anywhere(int i)
{
	return (off_t)(i * 1201 % NR) * SIZE;
}

typedef off_t place_fn(int i);

/* How many of the calls slept. */
static int count_sleeping_writes(int fd, place_fn *place)
{
	static struct aiocb cbs[DEPTH];
	char *buf = direct_buffer(SIZE);
	int nr = 0;

	for (int i = 0; i < NR; i++) {
		struct aiocb *cb = &cbs[i % DEPTH];
		unsigned long before;

		if (i >= DEPTH)
			check_equal(outcome(cb), SIZE);
		aiocb_init(cb, fd, buf, SIZE, place(i));
		before = nr_sleeps();
		check_equal(aio_write(cb), 0);
		nr += nr_sleeps() != before;
	}
	for (int i = 0; i < DEPTH; i++)
		check_equal(outcome(&cbs[i]), SIZE);
	free(buf);
	return nr;
}

struct plan {
	place_fn *place;
	bool is_sparse, is_synced;
};

static int write_as_planned(void *arg)
{
	const struct plan *plan = arg;
	int fd = direct_file(0, 0), nr;
	pthread_t thread;

	if (fd < 0) {
		printf("the file system refuses O_DIRECT");
		return CHILD_SKIPPED;
	}
	if (plan->is_sparse)
		check_equal(ftruncate(fd, NR * SIZE), 0);
	atomic_store(&is_over, !plan->is_synced);
	thread = start_thread(sync_again_and_again, &fd);
	nr = count_sleeping_writes(fd, plan->place);
	atomic_store(&is_over, true);
	join_thread(thread);
	printf("# %d of %d calls slept\n", nr, NR);
	check(nr < NR / 100);
	return 0;
}

#define TEST_PLAN(test, ...)                                                                      \
	static void test(void **state)                                                            \
	{                                                                                         \
		struct plan plan = { __VA_ARGS__ };                                               \
                                                                                                  \
		(void)state;                                                                      \
		support_check_or_skip_child(in_child_with(write_as_planned, &plan, 60000), #test, \
					    __FILE__, __LINE__);                                  \
	}

TEST_PLAN(test_writes_of_a_growing_file_do_not_wait, at_the_end, false, false)
TEST_PLAN(test_writes_of_a_growing_file_under_syncs_do_not_wait, at_the_end, false, true)
TEST_PLAN(test_writes_of_a_sparse_file_do_not_wait, anywhere, true, false)
TEST_PLAN(test_writes_of_a_sparse_file_under_syncs_do_not_wait, anywhere, true, true)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_of_a_growing_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_growing_file_under_syncs_do_not_wait),
		cmocka_unit_test(test_writes_of_a_sparse_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_sparse_file_under_syncs_do_not_wait),
	};

	return cmocka_run_group_tests_name("submit_waits", tests, NULL, NULL);
}
