// SPDX-License-Identifier: MIT
/*
 * test_descriptors.c - descriptors belong to the program
 *
 * POSIX promises the lowest free descriptor to open(), and programs close, replace
 * and use up any descriptors they like.  AIO must neither show there nor stop
 * working.  A program which never calls AIO gets nothing at all: no thread, no
 * descriptor, no mapping besides the library itself.
 */
#include "transparency.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define NR_DESCRIPTORS 65536
#define FILE_SIZE      (512 * 1024)
#define NR_BLOCKS      8

static int lowest_free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY);

	check(fd >= 0);
	close(fd);
	return fd;
}

/* Mark the open descriptors below NR_DESCRIPTORS. */
static void list_open_descriptors(bool is_open[NR_DESCRIPTORS])
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd;

	check(dir != NULL);
	memset(is_open, 0, NR_DESCRIPTORS * sizeof(*is_open));
	while ((entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < NR_DESCRIPTORS)
			is_open[fd] = true;
	}
	closedir(dir);
}

/* ---- requests that stay in flight ---- */

struct flight {
	struct aiocb reads[3]; /* of a pipe, the first one blocked */
	struct aiocb cold[NR_BLOCKS];
	struct aiocb direct[NR_BLOCKS];
	struct aiocb writes[NR_BLOCKS];
	char bytes[3];
	char *buf;
	int fds[2];
	bool has_direct;
};

static void flight_start(struct flight *flight)
{
	int file = temp_file_filled(FILE_SIZE);
	int direct = direct_file(FILE_SIZE, 0);
	int out = temp_file(0);
	size_t size = FILE_SIZE / NR_BLOCKS;

	flight->buf = direct_buffer(3 * FILE_SIZE);
	flight->has_direct = direct >= 0;
	open_pipe(flight->fds);
	evict(file);
	for (int i = 0; i < 3; i++)
		submit_read(&flight->reads[i], flight->fds[0], &flight->bytes[i], 1, 0);
	for (int i = 0; i < NR_BLOCKS; i++) {
		char *buf = flight->buf + i * size;

		submit_read(&flight->cold[i], file, buf, size, i * size);
		submit_write(&flight->writes[i], out, buf + FILE_SIZE, size, i * size);
		if (flight->has_direct)
			submit_read(&flight->direct[i], direct, buf + 2 * FILE_SIZE, size,
				    i * size);
	}
}

/* The result of a request whose descriptor may have been closed. */
static void check_outcome(struct aiocb *cb, ssize_t expected)
{
	ssize_t res = outcome(cb);

	if (res != -ECANCELED && res != -EBADF)
		check_equal(res, expected);
}

/* All end: the reads of the pipe at end of file, as nobody can write to it. */
static void flight_check_after_close(struct flight *flight)
{
	size_t size = FILE_SIZE / NR_BLOCKS;

	for (int i = 0; i < 3; i++)
		check_outcome(&flight->reads[i], 0);
	for (int i = 0; i < NR_BLOCKS; i++) {
		check_outcome(&flight->cold[i], (ssize_t)size);
		check_outcome(&flight->writes[i], (ssize_t)size);
		if (flight->has_direct)
			check_outcome(&flight->direct[i], (ssize_t)size);
	}
}

/* ---- which descriptors are in use ---- */

static void do_nothing(union sigval value)
{
	atomic_fetch_add((atomic_int *)value.sival_ptr, 1);
}

static int open_gives_the_same_descriptor(void)
{
	int lowest = lowest_free_descriptor();
	static atomic_int nr_calls;
	struct aiocb cb;
	int fds[2], high;
	char byte;

	/* The first request is made while the lowest descriptor is free. */
	open_pipe(fds);
	high = fcntl(fds[0], F_DUPFD, 100);
	close(fds[0]);
	write_fully(fds[1], "x", 1);
	close(fds[1]);
	submit_read(&cb, high, &byte, 1, 0);
	check_equal(outcome(&cb), 1);
	check_equal(lowest_free_descriptor(), lowest);
	use_aio();
	check_equal(lowest_free_descriptor(), lowest);
	open_pipe(fds);
	check_equal(fds[0], lowest);
	check_equal(fds[1], lowest + 1);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_thread(&cb.aio_sigevent, do_nothing, &nr_calls);
	check_equal(aio_read(&cb), 0);
	/* The same while a request is blocked, and while others come and go. */
	for (int i = 0; i < 20; i++) {
		check_equal(lowest_free_descriptor(), lowest + 2);
		use_aio_briefly();
	}
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	eventually(nr_calls == 1);
	close_pair(fds);
	check_equal(lowest_free_descriptor(), lowest);
	return 0;
}

static int no_descriptor_is_taken(void)
{
	static bool before[NR_DESCRIPTORS], after[NR_DESCRIPTORS];
	struct aiocb cb;
	char byte;
	int fds[2];

	open_pipe(fds);
	list_open_descriptors(before);
	use_aio();
	submit_read(&cb, fds[0], &byte, 1, 0);
	eventually(others_are_asleep()); /* it is blocked now, wherever that is */
	list_open_descriptors(after);
	for (int fd = 0; fd < nr_private_fds(NR_DESCRIPTORS); fd++)
		if (before[fd] != after[fd])
			check_failed("descriptor %d appeared or went", fd);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	return 0;
}

TEST_IN_CHILD(test_open_after_aio_gives_the_lowest_descriptor, open_gives_the_same_descriptor,
	      30000)
TEST_IN_CHILD(test_aio_shows_no_descriptor, no_descriptor_is_taken, 30000)

/* ---- closing everything ---- */

static void close_by_loop(void)
{
	for (int fd = 3; fd < 20000; fd++)
		close(fd);
}

static void close_by_range(void)
{
	check_equal(close_range(3, ~0U, 0), 0);
}

static void close_by_closefrom(void)
{
	closefrom(3);
}

/* Calls that no library can see. */
static void close_by_system_call(void)
{
	for (int fd = 3; fd < 2000; fd++)
		syscall(SYS_close, fd);
	check_equal(syscall(SYS_close_range, 3, ~0U, 0), 0);
}

static int close_everything(void *arg)
{
	void (*close_all)(void) = (void (*)(void))arg;
	struct flight flight;

	for (int i = 0; i < 5; i++) {
		flight_start(&flight);
		close_all();
		flight_check_after_close(&flight);
		use_aio();
		close_all();
		use_aio();
		free(flight.buf);
	}
	return 0;
}

#define TEST_CLOSE(test, function)                                                              \
	static void test(void **state)                                                          \
	{                                                                                       \
		(void)state;                                                                    \
		support_check_child(in_child_with(close_everything, (void *)(function), 40000), \
				    #function, __FILE__, __LINE__);                             \
	}

TEST_CLOSE(test_aio_survives_a_loop_of_close, close_by_loop)
TEST_CLOSE(test_aio_survives_close_range, close_by_range)
TEST_CLOSE(test_aio_survives_closefrom, close_by_closefrom)
TEST_CLOSE(test_aio_survives_unseen_closes, close_by_system_call)

/* ---- replacing everything ---- */

/* Put a file over every low descriptor and over every one that is open. */
static int dup2_over_everything(void)
{
	static bool is_open[NR_DESCRIPTORS];
	int lowest = lowest_free_descriptor();
	int victim, fds[2], kept[2];
	struct aiocb cb;
	char byte, text[4096];

	use_aio();
	open_pipe(fds);
	kept[0] = fcntl(fds[0], F_DUPFD, 200);
	kept[1] = fcntl(fds[1], F_DUPFD, 200);
	victim = fcntl(temp_file_filled(4096), F_DUPFD, 210);
	submit_read(&cb, kept[0], &byte, 1, 0);
	list_open_descriptors(is_open);
	for (int fd = lowest; fd < NR_DESCRIPTORS; fd++)
		if (fd != kept[0] && fd != kept[1] && fd != victim && (fd <= 64 || is_open[fd]))
			check_equal(dup2(victim, fd), fd);
	for (int i = 0; i < 5; i++)
		use_aio();
	write_fully(kept[1], "x", 1);
	check_equal(outcome(&cb), 1);
	check_equal(byte, 'x');
	/* Nothing of AIO's own traffic went into the file. */
	check_equal(file_size(victim), 4096);
	check_equal(lseek(victim, 0, SEEK_CUR), 0);
	check_equal(pread(victim, text, sizeof(text), 0), sizeof(text));
	check_pattern(text, 0, sizeof(text));
	return 0;
}

TEST_IN_CHILD(test_aio_survives_dup2_over_every_descriptor, dup2_over_everything, 30000)

/* ---- using everything up ---- */

static void take_all_descriptors(void)
{
	set_soft_limit(RLIMIT_NOFILE, 64);
	while (dup(STDIN_FILENO) >= 0)
		;
	check_equal(errno, EMFILE);
}

static void use_open_descriptors(int fds[2], int file, int direct)
{
	char *buf = direct_buffer(8192);
	struct aiocb cb, waiting;
	char byte = 0;

	submit_read(&waiting, fds[0], &byte, 1, 0);
	submit_write(&cb, fds[1], "x", 1, 0);
	check_equal(outcome(&cb), 1);
	check_equal(outcome(&waiting), 1);
	check_equal(byte, 'x');
	submit_read(&cb, file, buf, 8192, 0);
	check_equal(outcome(&cb), 8192);
	check_pattern(buf, 0, 8192);
	evict(file);
	submit_read(&cb, file, buf, 8192, 16384);
	check_equal(outcome(&cb), 8192);
	check_pattern(buf, 16384, 8192);
	if (direct >= 0) {
		submit_read(&cb, direct, buf, 8192, 4096);
		check_equal(outcome(&cb), 8192);
		check_pattern(buf, 4096, 8192);
	}
	pattern_fill(buf, 0, 8192);
	submit_write(&cb, file, buf, 8192, 0);
	check_equal(outcome(&cb), 8192);
	free(buf);
}

static int use_without_free_descriptors(void *arg)
{
	bool is_warm = arg != NULL;
	int file = temp_file_filled(65536);
	int direct = direct_file(65536, 0);
	int fds[2];

	open_pipe(fds);
	if (is_warm)
		use_open_descriptors(fds, file, direct);
	take_all_descriptors();
	for (int i = 0; i < 5; i++)
		use_open_descriptors(fds, file, direct);
	return 0;
}

static void test_first_use_works_without_free_descriptors(void **state)
{
	(void)state;
	support_check_child(in_child_with(use_without_free_descriptors, NULL, 30000), "the child",
			    __FILE__, __LINE__);
}

static void test_use_goes_on_without_free_descriptors(void **state)
{
	(void)state;
	support_check_child(in_child_with(use_without_free_descriptors, state, 30000), "the child",
			    __FILE__, __LINE__);
}

/* ---- a program that does not use AIO ---- */

/* A separate program: prints what it finds of itself. */
static int be_idle_program(void)
{
	static bool is_open[NR_DESCRIPTORS];
	char line[4096], last[4096] = "", *name;
	FILE *maps;

	printf("tasks %u\n", nr_threads());
	list_open_descriptors(is_open);
	for (int fd = 0; fd < NR_DESCRIPTORS; fd++)
		if (is_open[fd])
			printf("descriptor %d\n", fd);
	maps = fopen("/proc/self/maps", "r");
	check(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		name = strpbrk(line, "/[");
		if (name && strcmp(name, last)) {
			strcpy(last, name);
			printf("%s", name);
		}
	}
	fclose(maps);
	return 0;
}

static int exec_idle_program(void)
{
	close_others_on_exec();
	execl(own_program(), "test_descriptors", "--idle", NULL);
	return 1;
}

static int exec_idle_program_alone(void)
{
	unsetenv("LD_PRELOAD");
	return exec_idle_program();
}

static void test_idle_program_has_one_thread_and_no_descriptor(void **state)
{
	const char *expected = "tasks 1\ndescriptor 0\ndescriptor 1\ndescriptor 2\n/";
	struct child_result result = in_child(exec_idle_program, 10000);

	(void)state;
	assert_string_equal(describe_child(&result), "exited with status 0");
	if (strncmp(result.output, expected, strlen(expected)))
		check_failed("an idle program shows: %s", result.output);
}

/* Does a line name one of the files of LD_PRELOAD? */
static bool is_preloaded(const char *line)
{
	char names[4096], *rest = names, *name;

	snprintf(names, sizeof(names), "%s", getenv("LD_PRELOAD"));
	while ((name = strsep(&rest, ": "))) {
		char path[PATH_MAX];

		if (*name && realpath(name, path) && !strcmp(line, path))
			return true;
	}
	return false;
}

static void test_idle_program_maps_only_the_library(void **state)
{
	struct child_result with, alone;
	char *rest, *line;

	(void)state;
	if (!getenv("LD_PRELOAD") || !*getenv("LD_PRELOAD"))
		skip_because("nothing is preloaded");
	with = in_child(exec_idle_program, 10000);
	alone = in_child(exec_idle_program_alone, 10000);
	rest = with.output;
	while ((line = strsep(&rest, "\n")))
		if (!strstr(alone.output, line) && !is_preloaded(line))
			check_failed("an idle program maps %s", line);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_after_aio_gives_the_lowest_descriptor),
		cmocka_unit_test(test_aio_shows_no_descriptor),
		cmocka_unit_test(test_aio_survives_a_loop_of_close),
		cmocka_unit_test(test_aio_survives_close_range),
		cmocka_unit_test(test_aio_survives_closefrom),
		cmocka_unit_test(test_aio_survives_unseen_closes),
		cmocka_unit_test(test_aio_survives_dup2_over_every_descriptor),
		cmocka_unit_test(test_first_use_works_without_free_descriptors),
		cmocka_unit_test(test_use_goes_on_without_free_descriptors),
		cmocka_unit_test(test_idle_program_has_one_thread_and_no_descriptor),
		cmocka_unit_test(test_idle_program_maps_only_the_library),
	};

	if (argc > 1 && !strcmp(argv[1], "--idle"))
		return be_idle_program();
	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
