// SPDX-License-Identifier: MIT
/*
 * test_blocked_files.c - requests on files that block, however many, stop no others
 *
 * The memory of the process is the file, and what blocks is the buffer (gate.h):
 * no file system has a part in it, and every library has to leave such a read to
 * a thread.
 */
#include "gate.h"
#include "transparency.h"

#define SIZE       4096
#define NR_MAX     64
#define OTHER_SIZE (128 * 1024)

static struct gate gate;
static struct aiocb cbs[NR_MAX];
static char *source;

static int open_memory(void)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

/* @nr_each reads on each of so many descriptors.  False: this machine has no gates. */
static bool block_reads(int nr_fds, int nr_each)
{
	int nr = 0;

	if (!gate_make(&gate, NR_MAX * SIZE))
		return false;
	source = direct_buffer(SIZE);
	memset(source, 's', SIZE);
	for (int i = 0; i < nr_fds; i++) {
		int fd = open_memory();

		for (int j = 0; j < nr_each; j++, nr++)
			submit_read(&cbs[nr], fd, gate.memory + nr * SIZE, SIZE, (off_t)source);
	}
	gate_await(&gate);
	return true;
}

static void end_reads(int nr)
{
	gate_open(&gate, 'g');
	for (int i = 0; i < nr; i++) {
		check_equal(outcome(&cbs[i]), SIZE);
		check_memory(gate.memory + i * SIZE, source, SIZE);
	}
}

/* Files of kinds that no lane serves in the call. */
static void use_other_file(void)
{
	int fd = temp_file_filled(OTHER_SIZE), memory = open_memory();
	char *buf = direct_buffer(OTHER_SIZE);
	struct aiocb cb;

	submit_read(&cb, fd, buf, OTHER_SIZE, 0);
	check_equal(outcome(&cb), OTHER_SIZE);
	check_pattern(buf, 0, OTHER_SIZE);
	submit_write(&cb, fd, buf, OTHER_SIZE, OTHER_SIZE);
	check_equal(outcome(&cb), OTHER_SIZE);
	submit_read(&cb, memory, buf, SIZE, (off_t)source);
	check_equal(outcome(&cb), SIZE);
	check_memory(buf, source, SIZE);
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
}

/* As many descriptors as glibc has threads for, and some left. */
static int block_many_files(void)
{
	if (!block_reads(15, 4))
		return CHILD_SKIPPED;
	use_other_file();
	end_reads(15 * 4);
	return 0;
}

static int block_one_file_often(void)
{
	if (!block_reads(1, NR_MAX))
		return CHILD_SKIPPED;
	use_other_file();
	end_reads(NR_MAX);
	return 0;
}

TEST_OR_SKIP(test_many_files_that_block_do_not_stop_others, block_many_files, 20000)
TEST_OR_SKIP(test_one_file_that_blocks_does_not_stop_others, block_one_file_often, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_files_that_block_do_not_stop_others),
		cmocka_unit_test(test_one_file_that_blocks_does_not_stop_others),
	};

	return cmocka_run_group_tests_name("blocked_files", tests, NULL, NULL);
}
