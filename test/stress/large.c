// SPDX-License-Identifier: MIT
/*
 * large.c - very many requests, descriptors and waiting threads at once
 *
 *   large [THOUSANDS]      a thousand of them are a million requests; the default
 *
 * A million requests wait on a pipe and are cancelled, a million go through a file,
 * 10,000 descriptors have a request each, and 1,000 threads wait.  What follows such a
 * crowd must be as fast as before it, and in the end as many threads and descriptors
 * are left.  The last line is "N passed, N failed, N skipped".
 */
#include "support.h"

#include <pthread.h>
#include <sys/resource.h>

#define NR_TIMED    2000
#define SLOWER_MAX  3 /* times: the machine has other work */
#define NR_FDS      10000
#define NR_THREADS  1000
#define STACK_BYTES (64 << 10)

static size_t nr_requests;
static struct aiocb *cbs;
static char *bytes;
static int nr_passed, nr_failed;
static int file;
static uint64_t usual_ns;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median of some reads, each waited for. */
static uint64_t time_a_read(void)
{
	static uint64_t times[NR_TIMED];
	char buf[512];

	for (int i = 0; i < NR_TIMED; i++) {
		uint64_t begin = now_ns();

		check_equal(read_now(file, buf, sizeof(buf), 512 * (i % 64)), sizeof(buf));
		times[i] = now_ns() - begin;
	}
	qsort(times, NR_TIMED, sizeof(*times), compare);
	return times[NR_TIMED / 2];
}

static void note(const char *name, bool is_right, const char *detail)
{
	printf("%s %s: %s\n", is_right ? "ok  " : "FAIL", name, detail);
	if (is_right)
		nr_passed++;
	else
		nr_failed++;
}

static void note_speed(const char *name, uint64_t begin)
{
	uint64_t spent_ms = (now_ns() - begin) / 1000000, after_ns = time_a_read();
	char detail[128];

	snprintf(detail, sizeof(detail), "%llu ms; a read afterwards %llu ns, before %llu ns",
		 (unsigned long long)spent_ms, (unsigned long long)after_ns,
		 (unsigned long long)usual_ns);
	note(name, after_ns <= SLOWER_MAX * usual_ns + 2000, detail);
}

static void cancel_queued(void)
{
	uint64_t begin = now_ns();
	size_t nr_read = 3;
	int fds[2];

	open_pipe(fds);
	for (size_t i = 0; i < nr_requests; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	check_equal(write(fds[1], "abc", 3), 3);
	check_equal(await_result(&cbs[2]), 1);
	/* A thread may be in the fourth already. */
	if (aio_cancel(fds[0], NULL) == AIO_NOTCANCELED) {
		check_equal(write(fds[1], "d", 1), 1);
		check_equal(await_result(&cbs[nr_read++]), 1);
	}
	for (size_t i = 0; i < nr_requests; i++) {
		int error = aio_error(&cbs[i]);

		check_equal(error, i < nr_read ? 0 : ECANCELED);
		check_equal(aio_return(&cbs[i]), error ? -1 : 1);
	}
	check_memory(bytes, "abcd", nr_read);
	close(fds[0]);
	close(fds[1]);
	note_speed("requests that wait on a pipe, cancelled", begin);
}

static void close_on_queued(void)
{
	uint64_t begin = now_ns();
	int fds[2];

	open_pipe(fds);
	for (size_t i = 0; i < nr_requests; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	close(fds[1]);
	for (size_t i = 0; i < nr_requests; i++)
		check_equal(await_result(&cbs[i]), 0);
	close(fds[0]);
	note_speed("requests that wait on a pipe, until its end", begin);
}

static void write_and_read_file(void)
{
	int fd = temp_file(0);
	uint64_t begin = now_ns();

	for (size_t i = 0; i < nr_requests; i++) {
		bytes[i] = (char)(i * 7 / 5);
		submit_write(&cbs[i], fd, &bytes[i], 1, (off_t)i);
	}
	for (size_t i = 0; i < nr_requests; i++)
		check_equal(await_result(&cbs[i]), 1);
	memset(bytes, 0, nr_requests);
	for (size_t i = 0; i < nr_requests; i++)
		submit_read(&cbs[i], fd, &bytes[i], 1, (off_t)i);
	for (size_t i = 0; i < nr_requests; i++) {
		check_equal(await_result(&cbs[i]), 1);
		check_equal(bytes[i], (char)(i * 7 / 5));
	}
	close(fd);
	note_speed("writes, then reads, of a byte of a file", begin);
}

static void use_many_descriptors(void)
{
	static int fds[NR_FDS][2];
	uint64_t begin = now_ns();
	struct rlimit limit;
	int nr = NR_FDS;
	char name[64];

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * NR_FDS + 100)
		nr = (int)limit.rlim_max / 2 - 50;
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < nr; i++) {
		open_pipe(fds[i]);
		submit_read(&cbs[i], fds[i][0], &bytes[i], 1, 0);
	}
	for (int i = nr - 1; i >= 0; i--)
		check_equal(write(fds[i][1], "x", 1), 1);
	for (int i = 0; i < nr; i++) {
		check_equal(await_result(&cbs[i]), 1);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	snprintf(name, sizeof(name), "%d descriptors with a request each", nr);
	note_speed(name, begin);
}

static int wait_pipe[2];

static void *wait_for_byte(void *arg)
{
	struct aiocb cb;
	char byte;

	(void)arg;
	submit_read(&cb, wait_pipe[0], &byte, 1, 0);
	check_equal(await_result(&cb), 1);
	return NULL;
}

static void wait_in_many_threads(void)
{
	static pthread_t threads[NR_THREADS];
	uint64_t begin = now_ns();
	pthread_attr_t attr;

	open_pipe(wait_pipe);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], &attr, wait_for_byte, NULL), 0);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(write(wait_pipe[1], "x", 1), 1);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
	pthread_attr_destroy(&attr);
	close(wait_pipe[0]);
	close(wait_pipe[1]);
	note_speed("threads that wait", begin);
}

static unsigned int count_fds(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 30000; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

int main(int argc, char **argv)
{
	unsigned int nr_fds;
	char detail[64];

	nr_requests = 1000 * (size_t)(argc > 1 ? atoi(argv[1]) : 1000);
	if (nr_requests < NR_FDS) {
		fprintf(stderr, "usage: large [THOUSANDS], at least 10\n");
		return 2;
	}
	choose_default_deadline(600000);
	cbs = malloc(nr_requests * sizeof(*cbs));
	bytes = malloc(nr_requests);
	check(cbs && bytes);
	file = temp_file_filled(64 * 512);
	usual_ns = time_a_read();
	nr_fds = count_fds();
	cancel_queued();
	close_on_queued();
	write_and_read_file();
	use_many_descriptors();
	wait_in_many_threads();
	eventually(nr_threads() <= 2);
	snprintf(detail, sizeof(detail), "%u, before %u", count_fds(), nr_fds);
	note("descriptors in the end", count_fds() == nr_fds, detail);
	printf("%d passed, %d failed, 0 skipped\n", nr_passed, nr_failed);
	return nr_failed > 0;
}
