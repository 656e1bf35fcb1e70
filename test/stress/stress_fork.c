// SPDX-License-Identifier: MIT
/*
 * stress_fork.c - fork again and again while requests of all kinds are under way
 *
 * Neither side may notice the other: the child uses AIO as if it were the
 * first, the requests of the parent end as if nobody had forked.  Two threads
 * keep an O_DIRECT file, a cached file and pipes busy meanwhile.
 */
#include "support.h"
#include "transparency.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define NR_THREADS 2
#define BLOCK      4096
#define NR_BLOCKS  64
#define NR_QUIET   100 /* rounds; by then a library has started its threads */

static uint64_t end_ns;
static int direct, cached;
static atomic_bool is_over;
static atomic_uint nr_busy;

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 2000;
}

static void read_both(unsigned char *bufs, unsigned int block)
{
	struct aiocb cbs[2];

	for (int i = 0; i < 2; i++) {
		aiocb_init(&cbs[i], i ? cached : direct, bufs + i * BLOCK, BLOCK,
			   (off_t)block * BLOCK);
		check_equal(aio_read(&cbs[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		check_equal(await_result(&cbs[i]), BLOCK);
		check_pattern(bufs + i * BLOCK, (size_t)block * BLOCK, BLOCK);
	}
}

static void pass_byte(void)
{
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "f", 1);
	check_equal(await_result(&cb), 1);
	check_equal(byte, 'f');
	close_pair(fds);
}

static void *get_memory(void)
{
	void *memory;

	check_equal(posix_memalign(&memory, BLOCK, 2 * BLOCK), 0);
	return memory;
}

static void *keep_busy(void *arg)
{
	unsigned int block = (unsigned int)(uintptr_t)arg;
	unsigned char *bufs = get_memory();

	for (unsigned int round = 0; !atomic_load(&is_over); round++) {
		if (round == NR_QUIET)
			atomic_fetch_add(&nr_busy, 1);
		read_both(bufs, block++ % NR_BLOCKS);
		pass_byte();
	}
	free(bufs);
	return NULL;
}

/* In turn: with fork handlers, without, and without libc's knowledge. */
static pid_t fork_somehow(unsigned int round)
{
	if (round % 3 == 0)
		return fork();
	if (round % 3 == 1)
		return _Fork();
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static int fork_beside_requests(void)
{
	unsigned char *bufs = get_memory();
	pthread_t threads[NR_THREADS];
	unsigned int round = 0;
	struct aiocb pending;
	char byte;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&pending, fds[0], &byte, 1, 0);
	check_equal(aio_read(&pending), 0);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], NULL, keep_busy, (void *)(i * 7)), 0);
	/*
	 * A thread that begins allocates memory.  A child that libc does not know of,
	 * and under ASan any child, would inherit the lock that it holds at that.
	 */
	eventually(atomic_load(&nr_busy) == NR_THREADS);
	while (now_ns() < end_ns) {
		pid_t pid = fork_somehow(round++);

		check(pid >= 0);
		if (pid == 0) {
			read_both(bufs, round % NR_BLOCKS);
			pass_byte();
			_exit(0);
		}
		read_both(bufs, round % NR_BLOCKS);
		check_child(pid);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
	write_fully(fds[1], "p", 1);
	check_equal(await_result(&pending), 1);
	return 0;
}

static void test_neither_parent_nor_child_notices_the_other(void **state)
{
	(void)state;
	cached = temp_file_filled((size_t)NR_BLOCKS * BLOCK);
	direct = direct_file((size_t)NR_BLOCKS * BLOCK, 0);
	if (direct < 0)
		direct = temp_file_filled((size_t)NR_BLOCKS * BLOCK);
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
	check_in_child(fork_beside_requests, test_ms() + 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neither_parent_nor_child_notices_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
