// SPDX-License-Identifier: MIT
/*
 * test_close_reuse.c - a descriptor closed or reused under requests
 *
 * From aio_write() returning until the file is held by the kernel, a request
 * knows its file by its descriptor only.  When the program closes that, or puts
 * another file there, requests that wait behind others must end as if the
 * close had not happened, or with ECANCELED; never may they read from or write
 * to the other file.  (POSIX close(): outstanding operations that are not
 * canceled complete as if the close() operation had not yet occurred.)
 */
#include "transparency.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NR_REQUESTS 8
#define BLOCK_SIZE  (64 * 1024)
#define OTHER_SIZE  (NR_REQUESTS * BLOCK_SIZE)

/* ---- ways to take a descriptor away, most put another file there ---- */

static void by_close(int fd, int other)
{
	(void)other;
	check_equal(close(fd), 0);
}

static void by_close_range(int fd, int other)
{
	(void)other;
	check_equal(close_range((unsigned int)fd, (unsigned int)fd, 0), 0);
}

static void by_fclose(int fd, int other)
{
	FILE *stream = fdopen(fd, "r+");

	(void)other;
	if (!stream)
		stream = fdopen(fd, "r");
	if (!stream)
		stream = fdopen(fd, "w");
	check(stream != NULL);
	check_equal(fclose(stream), 0);
}

static void by_dup2(int fd, int other)
{
	check_equal(dup2(other, fd), fd);
}

static void by_dup3(int fd, int other)
{
	check_equal(dup3(other, fd, O_CLOEXEC), fd);
}

static void by_close_and_open(int fd, int other)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", other);
	close(fd);
	/* fd is the lowest free descriptor, as the caller has seen to. */
	again = open(path, O_RDWR);
	check_equal(again, fd);
}

static void by_fclose_and_dup(int fd, int other)
{
	by_fclose(fd, other);
	check_equal(fcntl(other, F_DUPFD, fd), fd);
}

/* No descriptor is to be had by which the library could keep the file for what waits. */
static void by_close_without_a_descriptor(int fd, int other)
{
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	set_soft_limit(RLIMIT_NOFILE, 0);
	check_equal(close(fd), 0);
	set_soft_limit(RLIMIT_NOFILE, limit.rlim_cur);
	check_equal(fcntl(other, F_DUPFD, fd), fd);
}

/*
 * What no library can see.  What is being issued at that very moment cannot be
 * protected, so everything that moves comes to rest first.
 */
typedef void take_fn(int fd, int other);

/* ---- the other file ---- */

static int other_file(void)
{
	return temp_file_filled(OTHER_SIZE);
}

static void check_other_file(int other)
{
	char *buf = malloc(OTHER_SIZE);

	check_equal(file_size(other), OTHER_SIZE);
	check_equal(pread(other, buf, OTHER_SIZE, 0), OTHER_SIZE);
	check_pattern(buf, 0, OTHER_SIZE);
	free(buf);
}

/* Fill the holes, so that the next descriptor to be freed is the lowest. */
static void fill_holes(int up_to)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < up_to);
	close(fd);
}

/* ---- reads waiting behind a blocked one ---- */

static void check_stream_reads(take_fn *take, bool is_socket)
{
	char bytes[NR_REQUESTS] = { 0 };
	struct aiocb cbs[NR_REQUESTS];
	int other = other_file();
	int fds[2], nr_read = 0;
	ssize_t res;

	if (is_socket)
		open_socketpair(fds, SOCK_STREAM);
	else
		open_pipe(fds);
	fill_holes(fds[1]);
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	take(fds[0], other);
	/* Bytes which the pattern does not begin with. */
	for (int i = 0; i < NR_REQUESTS; i++)
		if (write(fds[1], "\377", 1) < 0)
			break;
	for (int i = 0; i < NR_REQUESTS; i++) {
		if (is_socket && i == nr_read + 1)
			shutdown(fds[1], SHUT_WR);
		res = outcome(&cbs[i]);
		if (res == -ECANCELED)
			continue;
		check_equal(res, 1);
		check_equal((unsigned char)bytes[i], 0377);
		nr_read++;
	}
	check_other_file(other);
	close(fds[0]);
	close(fds[1]);
	close(other);
}

/* ---- writes waiting behind a blocked one ---- */

static void check_stream_writes(take_fn *take, bool is_socket)
{
	struct aiocb cbs[NR_REQUESTS];
	char *buf = calloc(1, BLOCK_SIZE);
	int other = other_file();
	char scratch[4096];
	int fds[2];
	ssize_t res;

	if (is_socket)
		open_socketpair(fds, SOCK_STREAM);
	else
		open_pipe(fds);
	fill_holes(fds[1]);
	fill_up(fds[1]);
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_write(&cbs[i], fds[1], buf, BLOCK_SIZE, 0);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	take(fds[1], other);
	/* Whatever is written goes on as long as someone reads it. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < NR_REQUESTS; i++) {
		eventually((read(fds[0], scratch, sizeof(scratch)) == -2) ||
			   aio_error(&cbs[i]) != EINPROGRESS);
		res = outcome(&cbs[i]);
		if (res != -ECANCELED)
			check_equal(res, BLOCK_SIZE);
	}
	check_other_file(other);
	close(fds[0]);
	close(fds[1]);
	close(other);
	free(buf);
}

/* ---- requests on a file ---- */

static int descriptor_of_file(bool is_direct)
{
	int fd = is_direct ? direct_file(OTHER_SIZE, 0) : temp_file_filled(OTHER_SIZE);

	if (fd >= 0)
		fill_holes(fd);
	return fd;
}

/* Writes which must be made one after another, as they overlap. */
static void check_file_writes(take_fn *take, bool is_direct, off_t distance)
{
	char *buf = direct_buffer(NR_REQUESTS * BLOCK_SIZE);
	struct aiocb cbs[4 * NR_REQUESTS];
	int other = other_file();
	int fd = descriptor_of_file(is_direct);
	ssize_t res;

	if (fd < 0)
		return;
	for (int i = 0; i < 4 * NR_REQUESTS; i++)
		submit_write(&cbs[i], fd, buf, BLOCK_SIZE, (i % NR_REQUESTS) * distance);
	take(fd, other);
	for (int i = 0; i < 4 * NR_REQUESTS; i++) {
		res = outcome(&cbs[i]);
		if (res != -ECANCELED)
			check_equal(res, BLOCK_SIZE);
	}
	check_other_file(other);
	close(fd);
	close(other);
	free(buf);
}

/* Reads, cold or past the page cache: the data must be the old file's. */
static void check_file_reads(take_fn *take, bool is_direct)
{
	char *buf = direct_buffer(NR_REQUESTS * BLOCK_SIZE);
	int fd = descriptor_of_file(is_direct);
	struct aiocb cbs[NR_REQUESTS];
	int other = temp_file(0);
	ssize_t res;

	if (fd < 0)
		return;
	check_equal(ftruncate(other, OTHER_SIZE), 0);
	evict(fd);
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], fd, buf + i * BLOCK_SIZE, BLOCK_SIZE, i * BLOCK_SIZE);
	take(fd, other);
	for (int i = 0; i < NR_REQUESTS; i++) {
		res = outcome(&cbs[i]);
		if (res == -ECANCELED)
			continue;
		check_equal(res, BLOCK_SIZE);
		check_pattern(buf + i * BLOCK_SIZE, i * BLOCK_SIZE, BLOCK_SIZE);
	}
	close(fd);
	close(other);
	free(buf);
}

/* Three files on one descriptor, while the writes to the one before still wait. */
#define NR_FILES  3
#define NR_ROUNDS 150

static void submit_writes(struct aiocb cbs[], int fd, char *data, int content)
{
	memset(data, content, BLOCK_SIZE);
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_write(&cbs[i], fd, data, BLOCK_SIZE, 0);
}

static int take_again_and_again(void)
{
	static struct aiocb cbs[NR_FILES][NR_REQUESTS];
	char *data[NR_FILES], *found = direct_buffer(BLOCK_SIZE);
	int files[NR_FILES], fd;
	bool is_there;

	for (int i = 0; i < NR_FILES; i++) {
		files[i] = direct_file(BLOCK_SIZE, 0);
		data[i] = direct_buffer(BLOCK_SIZE);
		if (files[i] < 0)
			return CHILD_SKIPPED;
	}
	fd = dup(files[0]);
	for (int i = 0; i < NR_FILES; i++) {
		check_equal(dup2(files[i], fd), fd);
		submit_writes(cbs[i], fd, data[i], 'a' + i);
	}
	/* It is in its file, or in another one: not refused since all is closed. */
	await(&cbs[1][0]);
	close(fd);
	for (int i = 0; i < NR_FILES; i++) {
		is_there = false;
		for (int j = 0; j < NR_REQUESTS; j++)
			is_there |= outcome(&cbs[i][j]) == BLOCK_SIZE;
		check_equal(pread(files[i], found, BLOCK_SIZE, 0), BLOCK_SIZE);
		if (is_there)
			check(memcmp(found, data[i], BLOCK_SIZE) == 0);
		close(files[i]);
	}
	return 0;
}

static int take_in_rounds(void)
{
	int ret = 0;

	for (int i = 0; i < NR_ROUNDS && ret == 0; i++)
		ret = take_again_and_again();
	return ret;
}

TEST_OR_SKIP(test_files_on_one_descriptor_keep_their_writes, take_in_rounds, 30000)

static int run_streams(void *arg)
{
	take_fn *take = (take_fn *)arg;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 5; i++) {
		check_stream_reads(take, false);
		check_stream_reads(take, true);
		check_stream_writes(take, false);
		check_stream_writes(take, true);
	}
	return 0;
}

static int run_files(void *arg)
{
	take_fn *take = (take_fn *)arg;

	for (int i = 0; i < 10; i++) {
		check_file_writes(take, false, BLOCK_SIZE);
		check_file_writes(take, false, 4096);
		check_file_writes(take, true, BLOCK_SIZE);
		check_file_writes(take, true, 4096);
		check_file_reads(take, false);
		check_file_reads(take, true);
	}
	return 0;
}

#define TEST_TAKE_STREAM(name)                                                                     \
	static void test_stream_requests_survive_##name(void **state)                              \
	{                                                                                          \
		(void)state;                                                                       \
		support_check_child(in_child_with(run_streams, (void *)(by_##name), 40000), #name, \
				    __FILE__, __LINE__);                                           \
	}

#define TEST_TAKE(name)                                                                          \
	TEST_TAKE_STREAM(name)                                                                   \
	static void test_file_requests_survive_##name(void **state)                              \
	{                                                                                        \
		(void)state;                                                                     \
		support_check_child(in_child_with(run_files, (void *)(by_##name), 40000), #name, \
				    __FILE__, __LINE__);                                         \
	}

TEST_TAKE(close)
TEST_TAKE(close_range)
TEST_TAKE(fclose)
TEST_TAKE(dup2)
TEST_TAKE(dup3)
TEST_TAKE(close_and_open)
TEST_TAKE(fclose_and_dup)
TEST_TAKE(close_without_a_descriptor)

/* ---- the descriptor is good for new requests at once ---- */

/* A read of the pipe that had the descriptor is blocked all the while. */
static int use_reused_descriptor(void)
{
	char byte = 0, *buf = direct_buffer(8192);
	int other = other_file();
	struct aiocb old, new;
	int fds[2];
	ssize_t res;

	open_pipe(fds);
	submit_read(&old, fds[0], &byte, 1, 0);
	check_equal(aio_error(&old), EINPROGRESS);
	check_equal(dup2(other, fds[0]), fds[0]);
	submit_read(&new, fds[0], buf, 8192, 4096);
	check_equal(outcome(&new), 8192);
	check_pattern(buf, 4096, 8192);
	submit_write(&new, fds[0], buf, 8192, 4096);
	check_equal(outcome(&new), 8192);
	aiocb_init(&new, fds[0], NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &new), 0);
	check_equal(outcome(&new), 0);
	signal(SIGPIPE, SIG_IGN);
	check(write(fds[1], "x", 1) == 1 || errno == EPIPE);
	res = outcome(&old);
	if (res != -ECANCELED) {
		check_equal(res, 1);
		check_equal(byte, 'x');
	}
	return 0;
}

/* The same with a second pipe, whose order must not be tied to the first. */
static int use_descriptor_reused_by_a_pipe(void)
{
	struct aiocb old, new;
	char byte = 0, other = 0;
	int fds[2], others[2];
	ssize_t res;

	open_pipe(fds);
	open_pipe(others);
	submit_read(&old, fds[0], &byte, 1, 0);
	check_equal(aio_error(&old), EINPROGRESS);
	check_equal(dup2(others[0], fds[0]), fds[0]);
	submit_read(&new, fds[0], &other, 1, 0);
	write_fully(others[1], "n", 1);
	check_equal(outcome(&new), 1);
	check_equal(other, 'n');
	signal(SIGPIPE, SIG_IGN);
	check(write(fds[1], "o", 1) == 1 || errno == EPIPE);
	res = outcome(&old);
	if (res != -ECANCELED) {
		check_equal(res, 1);
		check_equal(byte, 'o');
	}
	return 0;
}

static int close_under_queued_writes(void)
{
	struct aiocb cbs[4 * NR_REQUESTS], blocked;
	int fd = temp_file(0), fds[2];
	char *data = direct_buffer(BLOCK_SIZE), byte;

	open_pipe(fds);
	submit_read(&blocked, fds[0], &byte, 1, 0);
	for (int i = 0; i < 4; i++)
		submit_writes(cbs + (ptrdiff_t)i * NR_REQUESTS, fd, data, 'a');
	check_equal(close(fd), 0);
	for (int i = 0; i < 4 * NR_REQUESTS; i++)
		outcome(&cbs[i]);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&blocked), 1);
	return 0;
}

/* Where the end of each was noticed by chance only, they took 40 seconds. */
TEST_WITH_RINGS(test_queued_writes_of_a_closed_file_are_not_late, close_under_queued_writes, 15000)

TEST_IN_CHILD(test_file_on_a_reused_descriptor_is_usable_at_once, use_reused_descriptor, 30000)
TEST_IN_CHILD(test_pipe_on_a_reused_descriptor_is_usable_at_once, use_descriptor_reused_by_a_pipe,
	      30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_requests_survive_close),
		cmocka_unit_test(test_file_requests_survive_close),
		cmocka_unit_test(test_stream_requests_survive_close_range),
		cmocka_unit_test(test_file_requests_survive_close_range),
		cmocka_unit_test(test_stream_requests_survive_fclose),
		cmocka_unit_test(test_file_requests_survive_fclose),
		cmocka_unit_test(test_stream_requests_survive_dup2),
		cmocka_unit_test(test_file_requests_survive_dup2),
		cmocka_unit_test(test_stream_requests_survive_dup3),
		cmocka_unit_test(test_file_requests_survive_dup3),
		cmocka_unit_test(test_stream_requests_survive_close_and_open),
		cmocka_unit_test(test_file_requests_survive_close_and_open),
		cmocka_unit_test(test_stream_requests_survive_fclose_and_dup),
		cmocka_unit_test(test_file_requests_survive_fclose_and_dup),
		cmocka_unit_test(test_stream_requests_survive_close_without_a_descriptor),
		cmocka_unit_test(test_file_requests_survive_close_without_a_descriptor),
		cmocka_unit_test(test_files_on_one_descriptor_keep_their_writes),
		cmocka_unit_test(test_queued_writes_of_a_closed_file_are_not_late),
		cmocka_unit_test(test_file_on_a_reused_descriptor_is_usable_at_once),
		cmocka_unit_test(test_pipe_on_a_reused_descriptor_is_usable_at_once),
	};

	return cmocka_run_group_tests_name("close_reuse", tests, NULL, NULL);
}
