// SPDX-License-Identifier: MIT
/*
 * overflow.c - more results than a ring of the kernel has room for
 *
 * The library bounds neither how many requests wait on its ring nor how many a program may have.
 * So thousands of reads wait for as many pipes, and all end while the process is stopped: when it
 * goes on, the kernel finds their completions at once.  Linux AIO never has more events than room,
 * it refuses to begin more.
 */
#include "strained.h"

#include "transparency.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NR_ROUNDS   3
#define NR_PIPES    4096
#define NR_FEWEST   1024 /* twice what the ring's completion queue holds */
#define NR_LATER    256  /* reads of them that begin while the others end */
#define NR_DIRECT   1024
#define DIRECT_SIZE 4096
#define MAPPED_MORE (8u << 20)

/* ---- what the kernel did ---- */

/* A counter of this process for a tracepoint; -1: it cannot be had. */
static int count_tracepoint(const char *name, const char *filter)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.inherit = 1 };
	char path[128];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &attr.config) != 1)
		fd = -1;
	else
		fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (file)
		fclose(file);
	if (fd >= 0 && filter)
		check_equal(ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter), 0);
	return fd;
}

/* Where nothing is counted: one, for all that may have happened. */
static int count_of(int counter)
{
	uint64_t nr = 1;

	if (counter >= 0)
		check_equal(read(counter, &nr, sizeof(nr)), sizeof(nr));
	return (int)nr;
}

/* ---- what a process has ---- */

struct possessions {
	int nr_fds, nr_threads;
	size_t mapped;
};

static int count_entries(const char *dir_name)
{
	DIR *dir = opendir(dir_name);
	int nr = 0;

	check(dir != NULL);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static struct possessions take_stock(void)
{
	struct possessions now = {
		.nr_fds = count_entries("/proc/self/fd"),
		.nr_threads = (int)nr_threads(),
		.mapped = memory_in_use().mapped,
	};

	return now;
}

/* The second round has all that the library wants; the third must not want more. */
static void check_stock(int round)
{
	static struct possessions before;
	struct possessions now = take_stock();

	if (round == 2 && (now.nr_fds > before.nr_fds || now.nr_threads > before.nr_threads + 1 ||
			   now.mapped > before.mapped + MAPPED_MORE))
		check_failed("%d descriptors became %d, %d threads %d, %zu bytes %zu",
			     before.nr_fds, now.nr_fds, before.nr_threads, now.nr_threads,
			     before.mapped, now.mapped);
	before = now;
}

/* ---- completions ---- */

static struct aiocb cbs[NR_PIPES];
static char bytes[NR_PIPES];
static int pipes[NR_PIPES][2];
static int nr_pipes;

static bool is_written(int i)
{
	return i % 2 == 0;
}

static bool is_stopped(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	check(file && fscanf(file, "%*d %*s %c", &state) == 1);
	fclose(file);
	return state == 'T';
}

/* It has the ends to write.  When it is told so, all reads end, while their process is stopped. */
static pid_t start_writer(int go)
{
	pid_t reader = getpid(), pid = fork();
	char byte;

	check(pid >= 0);
	if (pid != 0)
		return pid;
	support_is_child = true;
	check_equal(read(go, &byte, 1), 1);
	check_equal(kill(reader, SIGSTOP), 0);
	eventually(is_stopped(reader));
	for (int i = 0; i < nr_pipes - NR_LATER; i++) {
		byte = (char)i;
		if (is_written(i))
			check_equal(write(pipes[i][1], &byte, 1), 1);
		else
			close(pipes[i][1]);
	}
	check_equal(kill(reader, SIGCONT), 0);
	_exit(0);
}

static bool others_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool do_sleep = true;

	check(dir != NULL);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		do_sleep &= tid == 0 || tid == getpid() || thread_sleeps(tid);
	}
	closedir(dir);
	return do_sleep;
}

static void submit_reads(int first, int end)
{
	for (int i = first; i < end; i++)
		submit_read(&cbs[i], pipes[i][0], &bytes[i], 1, 0);
}

static void read_all_at_once(void)
{
	int go[2], status;
	pid_t writer;

	open_pipe(go);
	for (int i = 0; i < nr_pipes; i++)
		open_pipe(pipes[i]);
	memset(bytes, 0x55, sizeof(bytes));
	writer = start_writer(go[0]);
	for (int i = 0; i < nr_pipes; i++)
		close(pipes[i][1]);
	submit_reads(0, nr_pipes - NR_LATER);
	eventually(others_sleep());
	write_fully(go[1], "g", 1);
	submit_reads(nr_pipes - NR_LATER, nr_pipes);
	for (int i = 0; i < nr_pipes; i++) {
		bool has_byte = i < nr_pipes - NR_LATER && is_written(i);

		check_equal(await_result(&cbs[i]), has_byte);
		check_equal(bytes[i], has_byte ? (char)i : 0x55);
		close(pipes[i][0]);
	}
	check_equal(waitpid(writer, &status, 0), writer);
	check_equal(status, 0);
	close_pair(go);
}

int try_completions(unsigned int seed)
{
	int counter = count_tracepoint("io_uring/io_uring_cqe_overflow", NULL);
	struct rlimit limit;

	(void)seed;
	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	nr_pipes = limit.rlim_cur < 2 * NR_PIPES + 100 ? (int)(limit.rlim_cur / 2) - 50 : NR_PIPES;
	if (nr_pipes < NR_FEWEST) {
		printf("a process may have %d descriptors only", (int)limit.rlim_cur);
		return -1;
	}
	for (int round = 0; round < NR_ROUNDS; round++) {
		read_all_at_once();
		check_stock(round);
	}
	return count_of(counter);
}

/* ---- events ---- */

int try_events(unsigned int seed)
{
	int counter = count_tracepoint("syscalls/sys_exit_io_submit", "ret == -11");
	int fd = direct_file((size_t)NR_DIRECT * DIRECT_SIZE, 0);
	char *data = direct_buffer((size_t)NR_DIRECT * DIRECT_SIZE);
	static struct aiocb *list[NR_DIRECT];

	(void)seed;
	if (fd < 0) {
		printf("the file system refuses O_DIRECT");
		return -1;
	}
	for (int round = 0; round < 2 * NR_ROUNDS; round++) {
		memset(data, 0, (size_t)NR_DIRECT * DIRECT_SIZE);
		for (int i = 0; i < NR_DIRECT; i++) {
			off_t at = (off_t)i * DIRECT_SIZE;

			aiocb_init_lio(&cbs[i], LIO_READ, fd, data + at, DIRECT_SIZE, at);
			list[i] = &cbs[i];
		}
		check_equal(lio_listio(LIO_NOWAIT, list, NR_DIRECT, NULL), 0);
		for (int i = 0; i < NR_DIRECT; i++)
			check_equal(await_result(&cbs[i]), DIRECT_SIZE);
		check_pattern(data, 0, (size_t)NR_DIRECT * DIRECT_SIZE);
		if (round % 2)
			check_stock(round / 2);
	}
	return count_of(counter);
}
