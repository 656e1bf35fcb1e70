// SPDX-License-Identifier: MIT
/*
 * test_introspect.c - what rtaio.h tells a program: version, backend and counters
 *
 * They are looked up by name, since the same program runs where they are not there: it skips then.
 */
#include "transparency.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <sys/syscall.h>

#include "../../include/rtaio.h"

#define NR_READS  3
#define NR_WRITES 2
#define BLOCK     4096

static const char *(*version)(void), *(*backend)(void);
static void (*stats)(struct rtaio_stats *stats, size_t size);

static bool is_there(void)
{
	version = (const char *(*)(void))dlsym(RTLD_DEFAULT, "rtaio_version");
	backend = (const char *(*)(void))dlsym(RTLD_DEFAULT, "rtaio_backend");
	stats = (void (*)(struct rtaio_stats *, size_t))dlsym(RTLD_DEFAULT, "rtaio_stats");
	if (!version || !backend || !stats)
		printf("the implementation has no rtaio.h");
	return version && backend && stats;
}

static struct rtaio_stats get_stats(void)
{
	struct rtaio_stats now;

	stats(&now, sizeof(now));
	return now;
}

/* ---- version and backend ---- */

static int tell_version(void)
{
	if (!is_there())
		return CHILD_SKIPPED;
	check(strcmp(version(), RTAIO_HEADER_VERSION) == 0);
	return 0;
}

/* The name is that of the library that serves, also if that is not rtaio. */
static int tell_that_it_is_off(void)
{
	if (!is_there())
		return CHILD_SKIPPED;
	setenv("RTAIO_BACKEND", "glibc", 1);
	use_aio_briefly();
	check(strcmp(backend(), "glibc") == 0);
	return 0;
}

/* ---- threads ---- */

#define NR_BURST  64
#define NR_BURSTS 20

static int nr_threads_of_name(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], line[64];
	int nr = 0;

	check(tasks != NULL);
	while ((entry = readdir(tasks))) {
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		if (!isdigit(entry->d_name[0]) || !(comm = fopen(path, "r")))
			continue;
		nr += fgets(line, sizeof(line), comm) && !strncmp(line, name, strlen(name));
		fclose(comm);
	}
	closedir(tasks);
	return nr;
}

/* Many requests ask for the same thread while it is about to begin. */
static int burst_first(void)
{
	static struct aiocb cbs[NR_BURST];
	int fd = direct_file(NR_BURST * BLOCK, 0);
	char *data = direct_buffer(NR_BURST * BLOCK);

	if (fd < 0)
		return CHILD_SKIPPED;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < NR_BURST; i++)
			submit_read(&cbs[i], fd, data + i * BLOCK, BLOCK, i * BLOCK);
		check(nr_threads_of_name("rtaio-reaper") <= 1);
		for (int i = 0; i < NR_BURST; i++)
			check_equal(outcome(&cbs[i]), BLOCK);
		check(nr_threads_of_name("rtaio-reaper") <= 1);
	}
	return 0;
}

static void test_one_thread_reports_direct_transfers(void **state)
{
	(void)state;
	for (int i = 0; i < NR_BURSTS; i++)
		support_check_or_skip_child(in_child(burst_first, 20000), "burst", __FILE__,
					    __LINE__);
}

static int tell_backend(void)
{
	const char *wanted = getenv("RTAIO_BACKEND"), *serves;

	if (!is_there())
		return CHILD_SKIPPED;
	check(strcmp(backend(), "none") == 0);
	use_aio_briefly();
	serves = backend();
	check(strcmp(serves, "io_uring") == 0 || strcmp(serves, "threads") == 0);
	if (wanted && strcmp(wanted, "threads") == 0)
		check(strcmp(serves, "threads") == 0);
	return 0;
}

/* ---- counters ---- */

static void use_file(void)
{
	int file = temp_file_filled(NR_READS * BLOCK);
	static char buf[BLOCK];
	struct aiocb cb;

	for (int i = 0; i < NR_READS; i++) {
		submit_read(&cb, file, buf, BLOCK, i * BLOCK);
		check_equal(outcome(&cb), BLOCK);
	}
	for (int i = 0; i < NR_WRITES; i++) {
		submit_write(&cb, file, buf, BLOCK, i * BLOCK);
		check_equal(outcome(&cb), BLOCK);
	}
	aiocb_init(&cb, file, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	close(file);
}

static void use_list(void)
{
	int file = temp_file_filled(BLOCK);
	struct aiocb cb, *list[] = { &cb };
	static char buf[BLOCK];

	aiocb_init_lio(&cb, LIO_READ, file, buf, BLOCK, 0);
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
	check_equal(outcome(&cb), BLOCK);
	close(file);
}

/* The number of requests that were cancelled: a thread that reads already may not let go. */
static unsigned cancel_one(void)
{
	struct aiocb cb;
	int fds[2], ret;
	char byte;

	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	ret = aio_cancel(fds[0], &cb);
	if (ret != AIO_CANCELED)
		write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), ret == AIO_CANCELED ? -ECANCELED : 1);
	close_pair(fds);
	return ret == AIO_CANCELED;
}

static uint64_t sum_of_kinds(const struct rtaio_stats *now)
{
	return now->reads + now->writes + now->fsyncs;
}

static uint64_t sum_of_lanes(const struct rtaio_stats *now)
{
	return now->lane_inline + now->lane_direct + now->lane_copier + now->lane_offload +
	       now->lane_engine;
}

/* Requests that fail, and a list entry that is no request. */
static int count_errors(void)
{
	int file = temp_file_filled(BLOCK);
	struct aiocb cb, other, *list[] = { &cb, &other };
	static char buf[BLOCK];
	struct rtaio_stats now;

	if (!is_there())
		return CHILD_SKIPPED;
	submit_read(&cb, -1, buf, BLOCK, 0);
	check_equal(outcome(&cb), -EBADF);
	now = get_stats();
	check_equal(now.reads, 1);
	check_equal(now.errors, 1);
	aiocb_init_lio(&cb, LIO_WRITE, file, buf, BLOCK, 0);
	aiocb_init_lio(&other, 99, file, buf, BLOCK, 0);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), -1);
	now = get_stats();
	check_equal(now.writes, 1);
	check_equal(sum_of_kinds(&now), 2);
	check_equal(sum_of_lanes(&now), 2);
	check_equal(now.errors, 1);
	check_equal(now.cancellations, 0);
	close(file);
	return 0;
}

static int count_requests(void)
{
	struct rtaio_stats now;
	unsigned nr_cancelled;

	if (!is_there())
		return CHILD_SKIPPED;
	now = get_stats();
	check_equal(sum_of_kinds(&now) + sum_of_lanes(&now), 0);
	use_file();
	use_list();
	nr_cancelled = cancel_one();
	now = get_stats();
	check_equal(now.reads, NR_READS + 2);
	check_equal(now.writes, NR_WRITES);
	check_equal(now.fsyncs, 1);
	check_equal(now.lists, 1);
	check_equal(sum_of_lanes(&now), sum_of_kinds(&now));
	check_equal(now.cancellations, nr_cancelled);
	check_equal(now.errors, nr_cancelled);
	check(now.engine_depth >= 1);
	check(now.engine_ring + now.engine_workers + now.engine_calls > 0);
	return 0;
}

static int count_in_a_child(void)
{
	pid_t pid;

	if (!is_there())
		return CHILD_SKIPPED;
	use_file();
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check_equal(get_stats().reads, 0);
		use_list();
		check_equal(get_stats().reads, 1);
		check_equal(get_stats().writes, 0);
		check_equal(get_stats().fsyncs, 0);
		_exit(0);
	}
	check_child(pid);
	check_equal(get_stats().reads, NR_READS);
	return 0;
}

/* ---- lanes ---- */

static bool is_set_to(const char *variable, const char *value)
{
	const char *set = getenv(variable);

	return set && strcmp(set, value) == 0;
}

static int read_cached(void)
{
	int file = temp_file_filled(BLOCK);
	static char buf[BLOCK];

	if (!is_there())
		return CHILD_SKIPPED;
	if (is_set_to("RTAIO_INLINE", "0")) {
		printf("RTAIO_INLINE is 0");
		return CHILD_SKIPPED;
	}
	for (int i = 0; i < NR_READS; i++)
		check_equal(read_now(file, buf, BLOCK, 0), BLOCK);
	check_equal(get_stats().lane_inline, NR_READS);
	/* A backend that is named starts at the first use, to show that it serves. */
	if (!is_set_to("RTAIO_BACKEND", "io_uring") && !is_set_to("RTAIO_BACKEND", "libaio"))
		check_equal(nr_threads(), 1);
	return 0;
}

static bool has_linux_aio(void)
{
	unsigned long context = 0;

	return syscall(SYS_io_setup, 1, &context) == 0 && syscall(SYS_io_destroy, context) == 0;
}

/* One after the other: what has ended is in nobody's way. */
static bool is_transferred(int file, char *buf)
{
	struct aiocb cb;

	submit_write(&cb, file, buf, BLOCK, 0);
	return outcome(&cb) == BLOCK && read_now(file, buf, BLOCK, 0) == BLOCK;
}

/* Not the first ones: other threads find out first what file it is, and make the context. */
static int use_direct(void)
{
	int file = direct_file(BLOCK, 0);
	char *buf = direct_buffer(BLOCK);

	if (!is_there())
		return CHILD_SKIPPED;
	if (is_set_to("RTAIO_BACKEND", "io_uring") || is_set_to("RTAIO_BACKEND", "threads")) {
		printf("the backend has no direct lane");
		return CHILD_SKIPPED;
	}
	if (file < 0 || !has_linux_aio()) {
		printf("no O_DIRECT below build/tmp, or no Linux AIO");
		return CHILD_SKIPPED;
	}
	eventually(is_transferred(file, buf) && get_stats().lane_direct > NR_READS);
	free(buf);
	return 0;
}

/* A program that was compiled with an older header has fewer members, one with a newer has more. */
static int fill_what_there_is_room_for(void)
{
	struct {
		struct rtaio_stats known;
		unsigned char more[16];
	} room;
	const size_t half = offsetof(struct rtaio_stats, lane_inline);

	if (!is_there())
		return CHILD_SKIPPED;
	use_file();
	memset(&room, 0xee, sizeof(room));
	stats(&room.known, half);
	check_equal(room.known.reads, NR_READS);
	check_equal(room.known.fsyncs, 1);
	for (size_t i = half; i < sizeof(room); i++)
		check_equal(((unsigned char *)&room)[i], 0xee);
	stats(&room.known, sizeof(room));
	check_equal(room.known.reads, NR_READS);
	for (size_t i = 0; i < sizeof(room.more); i++)
		check_equal(room.more[i], 0);
	return 0;
}

TEST_OR_SKIP(test_version_is_that_of_the_header, tell_version, 30000)
TEST_OR_SKIP(test_backend_is_told_once_it_serves, tell_backend, 30000)
TEST_OR_SKIP(test_backend_is_glibc_where_that_serves, tell_that_it_is_off, 30000)
TEST_OR_SKIP(test_counters_count_requests, count_requests, 30000)
TEST_OR_SKIP(test_counters_count_errors, count_errors, 30000)
TEST_OR_SKIP(test_counters_of_a_child_begin_at_zero, count_in_a_child, 30000)
TEST_OR_SKIP(test_cached_reads_take_the_inline_lane, read_cached, 30000)
TEST_OR_SKIP(test_direct_transfers_take_the_direct_lane, use_direct, 30000)
TEST_OR_SKIP(test_counters_fill_what_there_is_room_for, fill_what_there_is_room_for, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_is_that_of_the_header),
		cmocka_unit_test(test_backend_is_told_once_it_serves),
		cmocka_unit_test(test_backend_is_glibc_where_that_serves),
		cmocka_unit_test(test_counters_count_requests),
		cmocka_unit_test(test_counters_count_errors),
		cmocka_unit_test(test_counters_of_a_child_begin_at_zero),
		cmocka_unit_test(test_cached_reads_take_the_inline_lane),
		cmocka_unit_test(test_direct_transfers_take_the_direct_lane),
		cmocka_unit_test(test_one_thread_reports_direct_transfers),
		cmocka_unit_test(test_counters_fill_what_there_is_room_for),
	};

	return cmocka_run_group_tests_name("introspect", tests, NULL, NULL);
}
