// SPDX-License-Identifier: MIT
/*
 * test_crowd.c - more processes than processors cost no more than on glibc
 *
 * Like the ranks of an MPI program on a full node: eight processes for each processor,
 * each with one request at a time.  What busy-polls there takes the processor from who
 * has something to do.  So it is processor time that is compared, of all processes
 * together, with the same program without a library preloaded: other programs on the
 * machine do not count.  They can make both dearer, never cheaper: the two take turns,
 * and the least time of each decides, as soon as it is within the limit.
 */
#include "transparency.h"

#include <sys/wait.h>

#define PER_CPU     8
#define PAIRS_MAX   7
#define PERCENT_MAX 200 /* on glibc, with other backends, before Linux 6.18, or emulated */
#define PERCENT_LOW 110
#define OLD_PIPE    500
#define FILE_BYTES  (4 << 20)
#define BLOCK       4096

enum { NR_DIRECT = 1000, NR_CACHED = 2000, NR_BYTES = 1000 };

static void read_blocks(int fd, int nr, int rank)
{
	char *buf = direct_buffer(BLOCK);
	struct aiocb cb;

	for (int i = 0; i < nr; i++) {
		off_t at = (off_t)(i * 1201 + rank) % (FILE_BYTES / BLOCK) * BLOCK;

		submit_read(&cb, fd, buf, BLOCK, at);
		check_equal(outcome(&cb), BLOCK);
	}
}

static void pass_bytes(int in, int out, bool begins)
{
	struct aiocb cb;
	char byte = 'x';

	for (int i = 0; i < NR_BYTES; i++) {
		if (i % 2 == begins)
			submit_read(&cb, in, &byte, 1, 0);
		else
			submit_write(&cb, out, &byte, 1, 0);
		check_equal(outcome(&cb), 1);
	}
}

struct rank {
	int nr, fd, pipes[2][2];
};

static int run_rank(const struct rank *rank, const char *kind)
{
	bool is_second = rank->nr % 2;

	if (!strcmp(kind, "pipe"))
		pass_bytes(rank->pipes[!is_second][0], rank->pipes[is_second][1], !is_second);
	else
		read_blocks(rank->fd, !strcmp(kind, "direct") ? NR_DIRECT : NR_CACHED, rank->nr);
	return 0;
}

/* The processor time that all of them took, as a text on standard output. */
static int run_crowd(const char *kind)
{
	int nr = (int)sysconf(_SC_NPROCESSORS_ONLN) * PER_CPU, status;
	struct rank rank = { .fd = -1 };
	struct rusage usage;

	support_is_child = true;
	if (!strcmp(kind, "direct"))
		rank.fd = direct_file(FILE_BYTES, 0);
	else if (!strcmp(kind, "cached"))
		rank.fd = temp_file_filled(FILE_BYTES);
	if (rank.fd < 0 && strcmp(kind, "pipe") != 0)
		return CHILD_SKIPPED;
	for (; rank.nr < nr; rank.nr++) {
		if (rank.nr % 2 == 0) {
			open_pipe(rank.pipes[0]);
			open_pipe(rank.pipes[1]);
		}
		if (fork() == 0)
			_exit(run_rank(&rank, kind));
	}
	for (int i = 0; i < nr; i++) {
		check(wait(&status) > 0);
		check_equal(status, 0);
	}
	check_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	printf("%ld\n", (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	return 0;
}

/* us, or 0 where the file system refuses O_DIRECT. */
static long measure(const char *kind, bool is_plain)
{
	char command[PATH_MAX + 64];
	FILE *output;
	long us = 0;
	int status;

	snprintf(command, sizeof(command), "%s %s --crowd %s", is_plain ? "env -u LD_PRELOAD" : "",
		 program_invocation_name, kind);
	output = popen(command, "r");
	check(output != NULL);
	if (fscanf(output, "%ld", &us) != 1)
		us = 0;
	status = pclose(output);
	check(status == 0 || WEXITSTATUS(status) == CHILD_SKIPPED);
	return us;
}

static int compare(void *kind)
{
	const char *backend = getenv("RTAIO_BACKEND");
	const char *preload = getenv("LD_PRELOAD");
	bool is_best = preload && *preload && has_kernel(6, 18) && !is_emulated() &&
		       (!backend || !strcmp(backend, "auto"));
	long least = LONG_MAX, least_plain = LONG_MAX, most = is_best ? PERCENT_LOW : PERCENT_MAX;

	/* A pipe refuses NOWAIT there: the engine hands the read to a worker, and back. */
	if (!strcmp(kind, "pipe") && !has_kernel(6, 5))
		most = OLD_PIPE;
	for (int i = 0; i < PAIRS_MAX; i++) {
		long us = measure(kind, false), plain_us = measure(kind, true);

		if (us == 0 || plain_us == 0) {
			printf("the file system refuses O_DIRECT\n");
			return CHILD_SKIPPED;
		}
		printf("# %ld us, without a library %ld\n", us, plain_us);
		least = us < least ? us : least;
		least_plain = plain_us < least_plain ? plain_us : least_plain;
		if (least * 100 <= most * least_plain)
			return 0;
	}
	check_failed("%ld %% of the processor time", least * 100 / least_plain);
	return 0;
}

#define TEST_KIND(test, kind)                                                                     \
	static void test(void **state)                                                            \
	{                                                                                         \
		char name[] = kind;                                                               \
                                                                                                  \
		(void)state;                                                                      \
		support_check_or_skip_child(in_child_with(compare, name, 60000), #test, __FILE__, \
					    __LINE__);                                            \
	}

TEST_KIND(test_direct_reads_of_a_crowd_cost_no_more, "direct")
TEST_KIND(test_cached_reads_of_a_crowd_cost_no_more, "cached")
TEST_KIND(test_bytes_through_pipes_of_a_crowd_cost_no_more, "pipe")

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_reads_of_a_crowd_cost_no_more),
		cmocka_unit_test(test_cached_reads_of_a_crowd_cost_no_more),
		cmocka_unit_test(test_bytes_through_pipes_of_a_crowd_cost_no_more),
	};

	if (argc == 3 && !strcmp(argv[1], "--crowd"))
		return run_crowd(argv[2]);
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
