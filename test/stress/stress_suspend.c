// SPDX-License-Identifier: MIT
/*
 * stress_suspend.c - 64 threads wait, with timeouts, signals and shared requests
 *
 * aio_suspend may end for three reasons only: a request of the list is
 * complete, the time is over, a signal came.  Each thread has requests of its
 * own, on a pipe or on an O_DIRECT file, and one that all of them wait for
 * together with theirs; a thread that does nothing else sends them signals.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR_THREADS 64
#define BLOCK      4096
#define NR_BLOCKS  64

static uint64_t end_ns;
static int file; /* O_DIRECT where there is such a thing */
static struct aiocb shared;
static atomic_bool is_over;
static pthread_t waiters[NR_THREADS];

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 3000;
}

static void ignore(int signo)
{
	(void)signo;
}

struct waiting {
	struct aiocb cb;
	unsigned int seed;
	bool is_shared;
};

/* Wait once in one of the ways; true when the thread's own request is complete. */
static bool wait_once(struct waiting *waiting)
{
	const struct aiocb *list[] = { NULL, &waiting->cb, waiting->is_shared ? &shared : NULL };
	struct timespec timeout = { 0, 0 };
	bool has_timeout = waiting->seed >> 30;
	uint64_t begin = now_ns();
	int ret;

	waiting->seed = waiting->seed * 1664525 + 1013904223;
	timeout.tv_nsec = (waiting->seed >> 8) % 1000000;
	ret = aio_suspend(list, 3, has_timeout ? &timeout : NULL);
	if (ret == 0)
		check(aio_error(&waiting->cb) != EINPROGRESS ||
		      (waiting->is_shared && aio_error(&shared) != EINPROGRESS));
	else
		check(errno == EINTR || errno == EAGAIN);
	if (ret < 0 && errno == EAGAIN) {
		check(has_timeout);
		check(now_ns() - begin >= (uint64_t)timeout.tv_nsec);
	}
	return aio_error(&waiting->cb) != EINPROGRESS;
}

static void read_block(struct waiting *waiting, unsigned char *buf)
{
	unsigned int block = (waiting->seed >> 12) % NR_BLOCKS;

	aiocb_init(&waiting->cb, file, buf, BLOCK, (off_t)block * BLOCK);
	check_equal(aio_read(&waiting->cb), 0);
	while (!wait_once(waiting))
		continue;
	check_equal(aio_error(&waiting->cb), 0);
	check_equal(aio_return(&waiting->cb), BLOCK);
	check_pattern(buf, (size_t)block * BLOCK, BLOCK);
}

static void read_byte(struct waiting *waiting, const int fds[2])
{
	struct aiocb writing;
	char byte = 'w', got = 0;

	aiocb_init(&waiting->cb, fds[0], &got, 1, 0);
	check_equal(aio_read(&waiting->cb), 0);
	aiocb_init(&writing, fds[1], &byte, 1, 0);
	if (waiting->seed >> 31)
		check_equal(aio_write(&writing), 0);
	else
		write_fully(fds[1], &byte, 1);
	while (!wait_once(waiting))
		continue;
	check_equal(aio_error(&waiting->cb), 0);
	check_equal(got, 'w');
	if (waiting->seed >> 31)
		await(&writing);
}

static void *wait_often(void *arg)
{
	struct waiting waiting = { .seed = (unsigned int)(uintptr_t)arg * 2654435761u };
	void *buf;
	int fds[2];

	check_equal(posix_memalign(&buf, BLOCK, BLOCK), 0);
	open_pipe(fds);
	while (now_ns() < end_ns) {
		waiting.is_shared = waiting.seed >> 29 & 1;
		if ((uintptr_t)arg % 4 == 0)
			read_byte(&waiting, fds);
		else
			read_block(&waiting, buf);
	}
	/* All meet at the shared request. */
	check(await(&shared) == 0);
	close_pair(fds);
	free(buf);
	return NULL;
}

static void *send_signals(void *arg)
{
	unsigned int which = 0;

	while (!atomic_load(&is_over)) {
		struct timespec pause = { 0, 50000 };

		which++;
		pthread_kill(waiters[which % NR_THREADS], which % 3 ? SIGUSR1 : SIGUSR2);
		nanosleep(&pause, NULL);
	}
	return arg;
}

static void *complete_shared(void *arg)
{
	while (now_ns() < end_ns)
		short_pause();
	write_fully(*(int *)arg, "s", 1);
	return NULL;
}

static int everybody_waits(void)
{
	struct sigaction restart = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	struct sigaction interrupt = { .sa_handler = ignore };
	pthread_t sender, completer;
	int fds[2];
	char byte;

	check_equal(sigaction(SIGUSR1, &restart, NULL), 0);
	check_equal(sigaction(SIGUSR2, &interrupt, NULL), 0);
	file = direct_file((size_t)NR_BLOCKS * BLOCK, 0);
	if (file < 0)
		file = temp_file_filled((size_t)NR_BLOCKS * BLOCK);
	open_pipe(fds);
	aiocb_init(&shared, fds[0], &byte, 1, 0);
	check_equal(aio_read(&shared), 0);
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&waiters[i], NULL, wait_often, (void *)i), 0);
	check_equal(pthread_create(&sender, NULL, send_signals, NULL), 0);
	check_equal(pthread_create(&completer, NULL, complete_shared, &fds[1]), 0);
	check_equal(pthread_join(completer, NULL), 0);
	check(becomes_true(now_ns() > end_ns + 100000000, stretched_ms(5000)));
	atomic_store(&is_over, true);
	check_equal(pthread_join(sender, NULL), 0);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(waiters[i], NULL), 0);
	return 0;
}

static void test_waits_end_for_a_reason(void **state)
{
	(void)state;
	temp_dir(); /* made here, so that they are removed */
	direct_dir();
	check_in_child(everybody_waits, test_ms() + 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_end_for_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
