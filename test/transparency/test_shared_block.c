// SPDX-License-Identifier: MIT
/*
 * test_shared_block.c - completions that others than the submitter look for
 *
 * A control block may lie in memory that processes share, and code that was
 * bound to libc may ask libc.  Both see the end of a request in the block
 * itself, though the submitter makes no call on AIO any more.
 */
#include "transparency.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SIZE      4096
#define NR_BLOCKS 32

/* ---- requests of which nobody but the watcher takes notice ---- */

static struct aiocb *blocks;
static char *buf;
static int fd;

static void submit_all(bool is_read, int nr)
{
	for (int i = 0; i < nr; i++) {
		aiocb_init(&blocks[i], fd, buf + i * SIZE, SIZE, i * SIZE);
		check_equal(is_read ? aio_read(&blocks[i]) : aio_write(&blocks[i]), 0);
	}
}

static void submit_list(bool is_read, int nr)
{
	struct aiocb *list[NR_BLOCKS];

	for (int i = 0; i < nr; i++) {
		aiocb_init_lio(&blocks[i], is_read ? LIO_READ : LIO_WRITE, fd, buf + i * SIZE, SIZE,
			       i * SIZE);
		list[i] = &blocks[i];
	}
	check_equal(lio_listio(LIO_NOWAIT, list, nr, NULL), 0);
}

static void submit_sync(bool is_read, int nr)
{
	(void)is_read;
	for (int i = 0; i < nr; i++) {
		aiocb_init(&blocks[i], fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &blocks[i]), 0);
	}
}

struct plan {
	void (*submit)(bool is_read, int nr);
	bool is_direct, is_read;
	int nr;
	bool is_growing;
	bool is_later; /* when all helpers rest after others */
};

/* ---- when all helpers rest ---- */

#define NR_FIRST    4 /* they find out how the file is best read */
#define QUIET_LOOKS 30

/* How often the other threads have gone to sleep. */
static long nr_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], line[128];
	long sum = 0, value;

	check(tasks != NULL);
	while ((entry = readdir(tasks))) {
		FILE *status;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid() ||
		    !(status = fopen(path, "r")))
			continue;
		while (fgets(line, sizeof(line), status))
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &value) == 1)
				sum += value;
		fclose(status);
	}
	closedir(tasks);
	return sum;
}

/* None has moved in many looks: each is asleep for longer than that. */
static bool nothing_moves(void)
{
	static int nr_alike;
	static long last = -1;
	long now = nr_sleeps();

	nr_alike = now == last ? nr_alike + 1 : 0;
	last = now;
	return nr_alike > QUIET_LOOKS;
}

static void submit_and_rest(void (*submit)(bool is_read, int nr), bool is_read)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = 3600 };

	aio_init(&init);
	for (int i = 0; i < NR_FIRST; i++) {
		submit(is_read, 1);
		check_equal(outcome(&blocks[0]), SIZE);
		eventually(nothing_moves());
	}
}

/* False: no O_DIRECT here. */
static bool submit_as_planned(const struct plan *plan)
{
	buf = direct_buffer(NR_BLOCKS * SIZE);
	if (plan->is_direct) {
		fd = direct_file(plan->is_growing ? 0 : NR_BLOCKS * SIZE, 0);
	} else {
		fd = temp_file_filled(NR_BLOCKS * SIZE);
		evict(fd);
	}
	if (fd < 0) {
		printf("the file system refuses O_DIRECT");
		return false;
	}
	if (plan->is_later)
		submit_and_rest(plan->submit, plan->is_read);
	plan->submit(plan->is_read, plan->nr);
	return true;
}

/* ---- another process, in which nothing is preloaded ---- */

static bool have_all_ended(int nr)
{
	for (int i = 0; i < nr; i++)
		if (aio_error(&blocks[i]) == EINPROGRESS)
			return false;
	return true;
}

static struct aiocb *map_blocks(const char *path)
{
	int shared = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *memory;

	check(shared >= 0);
	check_equal(ftruncate(shared, NR_BLOCKS * sizeof(*blocks)), 0);
	memory = mmap(NULL, NR_BLOCKS * sizeof(*blocks), PROT_READ | PROT_WRITE, MAP_SHARED, shared,
		      0);
	check(memory != MAP_FAILED);
	return memory;
}

/* This program, run again with the path and the count. */
static int watch(const char *path, const char *nr)
{
	support_is_child = true;
	blocks = map_blocks(path);
	eventually(have_all_ended(atoi(nr)));
	return 0;
}

static int share_with_process(void *arg)
{
	const struct plan *plan = arg;
	const char *path = temp_path("blocks");
	char nr[16];
	int status;
	pid_t pid;

	blocks = map_blocks(path);
	if (!submit_as_planned(plan))
		return CHILD_SKIPPED;
	snprintf(nr, sizeof(nr), "%d", plan->nr);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		execl(own_program(), "test_shared_block", path, nr, NULL);
		_exit(1);
	}
	check_equal(waitpid(pid, &status, 0), pid);
	check_equal(status, 0);
	return 0;
}

/* ---- a child, which has the library as well, and submits nothing ---- */

static int watch_one(int start)
{
	read_fully(start, NULL, 1);
	eventually(aio_error(&blocks[0]) != EINPROGRESS);
	check_equal(aio_error(&blocks[0]), 0);
	check_equal(aio_return(&blocks[0]), SIZE);
	return 0;
}

static int share_with_child(void)
{
	int fds[2];
	pid_t pid;

	blocks = map_blocks(temp_path("blocks"));
	buf = direct_buffer(SIZE);
	fd = direct_file(SIZE, 0);
	if (fd < 0) {
		printf("the file system refuses O_DIRECT");
		return CHILD_SKIPPED;
	}
	open_pipe(fds);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		_exit(watch_one(fds[0]));
	/* After this one a library may know what kind of file it is. */
	submit_all(true, 1);
	check_equal(outcome(&blocks[0]), SIZE);
	memset(buf, 0, SIZE);
	submit_all(true, 1);
	write_fully(fds[1], "x", 1);
	check_child(pid);
	check_pattern(buf, 0, SIZE);
	return 0;
}

TEST_OR_SKIP(test_another_process_sees_the_end_of_a_request, share_with_child, 20000)

/* ---- code that is bound to libc ---- */

static int (*libc_error)(const struct aiocb *cb);

static bool has_libc_seen_all_end(int nr)
{
	for (int i = 0; i < nr; i++)
		if (libc_error(&blocks[i]) == EINPROGRESS)
			return false;
	return true;
}

static int ask_libc(void *arg)
{
	const struct plan *plan = arg;
	/* It has the functions, or takes them from libc.so.6, which has them since glibc 2.34. */
	void *libc = dlopen("librt.so.1", RTLD_NOW);

	check(libc != NULL);
	libc_error = (int (*)(const struct aiocb *))(uintptr_t)dlsym(libc, "aio_error");
	check(libc_error != NULL);
	blocks = calloc(NR_BLOCKS, sizeof(*blocks));
	if (!submit_as_planned(plan))
		return CHILD_SKIPPED;
	eventually(has_libc_seen_all_end(plan->nr));
	return 0;
}

#define TEST_PLAN(name, ...)                                                                     \
	static struct plan plan_##name = { __VA_ARGS__ };                                        \
	static void test_process_sees_the_end_of_##name(void **state)                            \
	{                                                                                        \
		(void)state;                                                                     \
		support_check_or_skip_child(in_child_with(share_with_process, &plan_##name,      \
							  30000),                                \
					    #name, __FILE__, __LINE__);                          \
	}                                                                                        \
	static void test_libc_sees_the_end_of_##name(void **state)                               \
	{                                                                                        \
		(void)state;                                                                     \
		support_check_or_skip_child(in_child_with(ask_libc, &plan_##name, 30000), #name, \
					    __FILE__, __LINE__);                                 \
	}

TEST_PLAN(a_direct_read, submit_all, true, true, 1)
TEST_PLAN(a_direct_write, submit_all, true, false, 1)
TEST_PLAN(a_later_direct_read, submit_all, true, true, 1, .is_later = true)
TEST_PLAN(direct_reads, submit_all, true, true, NR_BLOCKS)
TEST_PLAN(a_list_of_direct_reads, submit_list, true, true, NR_BLOCKS)
TEST_PLAN(growing_direct_writes, submit_all, true, false, NR_BLOCKS, true)
TEST_PLAN(a_list_of_direct_writes, submit_list, true, false, NR_BLOCKS, true)
TEST_PLAN(cold_reads, submit_all, false, true, NR_BLOCKS)
TEST_PLAN(writes, submit_all, false, false, NR_BLOCKS)
TEST_PLAN(a_sync, submit_sync, false, false, 1)

#define UNIT_TESTS(name)                                       \
	cmocka_unit_test(test_process_sees_the_end_of_##name), \
		cmocka_unit_test(test_libc_sees_the_end_of_##name)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		UNIT_TESTS(a_direct_read),
		UNIT_TESTS(a_direct_write),
		cmocka_unit_test(test_process_sees_the_end_of_a_later_direct_read),
		cmocka_unit_test(test_libc_sees_the_end_of_a_later_direct_read),
		UNIT_TESTS(direct_reads),
		UNIT_TESTS(a_list_of_direct_reads),
		UNIT_TESTS(growing_direct_writes),
		UNIT_TESTS(a_list_of_direct_writes),
		UNIT_TESTS(cold_reads),
		UNIT_TESTS(writes),
		UNIT_TESTS(a_sync),
		cmocka_unit_test(test_another_process_sees_the_end_of_a_request),
	};

	if (argc == 3)
		return watch(argv[1], argv[2]);
	return cmocka_run_group_tests_name("shared_block", tests, NULL, NULL);
}
