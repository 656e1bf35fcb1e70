// SPDX-License-Identifier: MIT
/*
 * test_fork_inherits.c - what a child finds in itself
 *
 * A child has the descriptors that the program opened and no others.  A program
 * in which each generation uses AIO and forks the next one does not grow: what
 * belonged to the parent's helpers is given back or used again.  Statistics are
 * those of one process.
 */
#include "transparency.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- descriptors ---- */

#define FD_MAX 2048

static void note_descriptors(bool open[FD_MAX])
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	check(dir != NULL);
	memset(open, 0, FD_MAX);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd < FD_MAX && fd != dirfd(dir))
			open[fd] = true;
	}
	closedir(dir);
}

static void check_descriptors(const bool before[FD_MAX])
{
	static bool now[FD_MAX];

	note_descriptors(now);
	for (int fd = 0; fd < nr_private_fds(FD_MAX); fd++)
		if (now[fd] && !before[fd])
			check_failed("the child has fd %d, which the program never opened", fd);
}

/* One read is blocked in the parent, another one queued behind it. */
static int find_descriptors(void)
{
	static bool before[FD_MAX];
	struct aiocb cbs[2];
	char bytes[2];
	int fds[2];
	pid_t pid;

	open_pipe(fds);
	note_descriptors(before);
	use_aio();
	pid = fork();
	if (!pid) {
		check_descriptors(before);
		use_aio();
		check_descriptors(before);
		_exit(0);
	}
	check_child(pid);
	for (int i = 0; i < 2; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	write_fully(fds[1], "xx", 2);
	for (int i = 0; i < 2; i++)
		check_equal(outcome(&cbs[i]), 1);
	return 0;
}

TEST_IN_CHILD(test_child_has_the_descriptors_of_the_program, find_descriptors, 30000)

/* ---- rings ---- */

static int nr_rings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int nr = 0;

	check(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		nr += strstr(line, "[aio]") || strstr(line, "io_uring");
	fclose(maps);
	return nr;
}

/* A library may make its rings when it knows that they are needed.  False: no O_DIRECT here. */
static bool use_rings(void)
{
	int fd = direct_file(4096, 0);
	char *buf = direct_buffer(4096);

	for (int i = 0; i < 50 && fd >= 0; i++) {
		check_equal(read_now(fd, buf, 4096, 0), 4096);
		short_pause();
	}
	free(buf);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The kernel writes to them what happens in the parent. */
static int find_rings(void)
{
	pid_t pid;

	if (!use_rings()) {
		printf("no O_DIRECT below build/tmp");
		return CHILD_SKIPPED;
	}
	pid = fork();
	if (!pid) {
		check_equal(aio_cancel(temp_file(0), NULL), AIO_ALLDONE);
		check_equal(nr_rings(), 0);
		_exit(0);
	}
	check_child(pid);
	return 0;
}

TEST_OR_SKIP(test_child_has_no_ring_of_its_parent, find_rings, 30000)

struct ring {
	char *begin;
	size_t size;
};

/* The ring of Linux AIO. */
static bool find_aio_ring(struct ring *ring)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;
	unsigned long begin, end;

	check(maps != NULL);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, "[aio]") && sscanf(line, "%lx-%lx", &begin, &end) == 2;
	fclose(maps);
	if (found)
		*ring = (struct ring){ (char *)begin, end - begin };
	return found;
}

/* A ring of which the kernel gives no copy to a child, as Linux 7.2 does by itself. */
static bool use_private_ring(struct ring *ring)
{
	if (!use_rings() || !find_aio_ring(ring)) {
		printf("Linux AIO is not used here");
		return false;
	}
	check_equal(madvise(ring->begin, ring->size, MADV_DONTFORK), 0);
	return true;
}

/* The grandchild's parent has a ring of its own. */
static int use_without_copy(void)
{
	struct ring ring;
	pid_t pid;

	if (!use_private_ring(&ring))
		return CHILD_SKIPPED;
	pid = fork();
	if (!pid) {
		/* A handler that forks may have interrupted a call that reads it. */
		check_equal(*(volatile char *)ring.begin, 0);
		use_rings();
		pid = fork();
		if (!pid) {
			use_rings();
			_exit(0);
		}
	}
	check_child(pid);
	use_rings();
	return 0;
}

TEST_OR_SKIP(test_children_use_aio_without_a_copy_of_the_ring, use_without_copy, 30000)

/* Where the ring was in its parent, a child has something of its own. */
static int use_the_place_of_the_ring(void)
{
	struct ring ring;
	pid_t pid;

	if (!use_private_ring(&ring))
		return CHILD_SKIPPED;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); /* calls no handlers of fork() */
	if (!pid) {
		uint32_t *words = mmap(ring.begin, ring.size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		check((char *)words == ring.begin);
		for (size_t i = 0; i < ring.size / sizeof(*words); i++)
			words[i] = 1;
		use_rings();
		for (size_t i = 0; i < ring.size / sizeof(*words); i++)
			check_equal(words[i], 1);
		_exit(0);
	}
	check_child(pid);
	return 0;
}

TEST_OR_SKIP(test_child_keeps_what_it_maps_where_the_ring_was, use_the_place_of_the_ring, 30000)

/* ---- generations ---- */

#define NR_GENERATIONS 12
#define NR_GROWN_MAX   6     /* the others would have to be larger, too */
#define LIMIT_MS       60000 /* each waits for all that come after it */

static long nr_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024];
	long nr = 0;

	check(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		nr++;
	fclose(maps);
	return nr;
}

static void *sleep_for_ever(void *arg)
{
	pause();
	return arg;
}

static long nr_mappings_with_a_thread(void)
{
	start_thread(sleep_for_ever, NULL);
	return nr_mappings();
}

/* glibc 2.43 forgets one of its stacks at each fork. */
static long nr_lost_by_libc(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		long nr = nr_mappings_with_a_thread();

		pid = fork();
		if (!pid)
			_exit((int)(nr_mappings_with_a_thread() - nr));
		check_equal(waitpid(pid, &status, 0), pid);
		_exit(WEXITSTATUS(status));
	}
	check_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static long nr_lost;

/*
 * A generation on a busy machine may have had more threads, whose stacks the next one inherits
 * and uses.  But what nobody uses again makes every generation the largest so far.
 */
static void live(int generation, long largest, int nr_grown)
{
	long nr;
	pid_t pid;

	use_aio();
	use_rings();
	nr = nr_mappings();
	nr_grown += generation > 2 && nr > largest + nr_lost;
	if (nr_grown > NR_GROWN_MAX)
		check_failed("%d generations of %d have grown, to %ld mappings", nr_grown,
			     generation, nr);
	if (generation == NR_GENERATIONS)
		return;
	pid = fork();
	if (!pid) {
		live(generation + 1, nr > largest ? nr : largest, nr_grown);
		_exit(0);
	}
	check_child(pid);
}

static int live_on(void)
{
	choose_default_deadline(LIMIT_MS);
	nr_lost = nr_lost_by_libc();
	check(nr_lost <= 1);
	live(0, 0, 0);
	return 0;
}

TEST_IN_CHILD(test_generations_do_not_grow, live_on, LIMIT_MS)

/* ---- statistics ---- */

#define NR_READS 2000

/* The parent's part of the file comes last, since it ends last. */
static int play_parent(void)
{
	int fd = temp_file_filled(4096);
	char byte;
	pid_t pid;

	for (int i = 0; i < NR_READS; i++)
		check_equal(read_now(fd, &byte, 1, i % 4096), 1);
	pid = fork();
	if (!pid) {
		use_aio_briefly();
		exit(0);
	}
	check_child(pid);
	exit(0);
}

static int run_parent(void *path)
{
	setenv("RTAIO_STATS", path, 1);
	execl(own_program(), program_invocation_name, "--role", "parent", NULL);
	return 1;
}

/* The sum of all that each process has counted, in the order of their ends. */
static int sum_counters(const char *path, long sums[2])
{
	FILE *file = fopen(path, "r");
	char line[256], name[64];
	int nr = 0, pid;
	long value;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "rtaio: statistics of process %d", &pid) == 1) {
			check(nr < 2);
			sums[nr++] = 0;
		} else if (nr > 0 && sscanf(line, "rtaio: %63s %ld", name, &value) == 2) {
			sums[nr - 1] += value;
		}
	}
	if (file)
		fclose(file);
	unlink(path);
	return nr;
}

static void test_statistics_of_a_child_begin_at_zero(void **state)
{
	char path[PATH_MAX];
	long sums[2];

	(void)state;
	snprintf(path, sizeof(path), "%s", temp_path("counters"));
	unlink(path);
	support_check_child(in_child_with(run_parent, path, 20000), "parent", __FILE__, __LINE__);
	if (sum_counters(path, sums) == 0)
		skip_because("no statistics are kept");
	check(sums[1] >= NR_READS);
	if (sums[0] > NR_READS / 10)
		check_failed("the child counted %ld, its parent %ld", sums[0], sums[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_has_the_descriptors_of_the_program),
		cmocka_unit_test(test_child_has_no_ring_of_its_parent),
		cmocka_unit_test(test_children_use_aio_without_a_copy_of_the_ring),
		cmocka_unit_test(test_child_keeps_what_it_maps_where_the_ring_was),
		cmocka_unit_test(test_generations_do_not_grow),
		cmocka_unit_test(test_statistics_of_a_child_begin_at_zero),
	};

	if (argc == 3 && !strcmp(argv[1], "--role"))
		return play_parent();
	return cmocka_run_group_tests_name("fork_inherits", tests, NULL, NULL);
}
