// SPDX-License-Identifier: MIT
/*
 * faulted.c - run a workload of POSIX AIO in which system calls fail, and watch it
 *
 *   faulted LOG CALL ERROR WHEN
 *
 * A child runs the workload.  Before its first request strace attaches to it, and from then
 * on makes CALL fail with ERROR, the WHEN-th time (when= of strace(1)), counted for each
 * thread.  This process is not traced.  CALL may also be a limit, malloc or signals (disturb.h);
 * then there is no strace.  In the end it compares the files with what the child has been told.
 *
 * It prints one line: "ok" and how many calls failed, how many requests were refused and how
 * many failed; or "FAULT" and what is wrong.  Each request must end with a true result, or
 * with ERROR or EAGAIN.
 *
 * Exit status: 0 ok, 1 FAULT, 2 it cannot be done here.
 */
#include "disturb.h"
#include "report.h"
#include "workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 60000 /* of a round */

static const char *error_name;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int count_entries(pid_t pid, const char *of)
{
	char path[64];
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, of);
	dir = opendir(path);
	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static pid_t start_strace(pid_t child, const char *log)
{
	char inject[128], trace[80], target[16], marker[64];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(inject, sizeof(inject), "inject=%s:error=%s:when=%s", call, error_name, when);
	snprintf(marker, sizeof(marker), "inject=getppid:retval=%d", TRACER);
	snprintf(trace, sizeof(trace), "trace=%s,getppid", call);
	snprintf(target, sizeof(target), "%d", (int)child);
	unsetenv("LD_PRELOAD");
	if (strcmp(call, "none") == 0)
		execlp("strace", "strace", "-f", "-qq", "-o", log, "-e", marker, "-p", target,
		       (char *)NULL);
	else
		execlp("strace", "strace", "-f", "-qq", "-o", log, "-e", trace, "-e", marker, "-e",
		       inject, "-p", target, (char *)NULL);
	perror("faulted: strace");
	_exit(127);
}

/* True once @counter has this value; false if a process has ended, or the time is up. */
static bool wait_until(_Atomic int *counter, int value, pid_t child, pid_t tracer, int *status)
{
	uint64_t until = now_ms() + LIMIT_MS;

	while (atomic_load(counter) < value) {
		*status = -1;
		if (waitpid(child, status, WNOHANG) == child ||
		    (tracer && waitpid(tracer, NULL, WNOHANG) == tracer && kill(child, 0) < 0) ||
		    now_ms() > until)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return true;
}

static void report_end(int status)
{
	if (status < 0) {
		fault("hangs: thread 0 at line %d, thread 1 at line %d",
		      atomic_load(&report->line[0]), atomic_load(&report->line[1]));
	} else if (WIFSIGNALED(status)) {
		fault("killed by signal %d at lines %d, %d", WTERMSIG(status),
		      atomic_load(&report->line[0]), atomic_load(&report->line[1]));
	} else {
		fault("ends with status %d", WEXITSTATUS(status));
	}
}

static void check_blocks(int thread, int target, const char *kind)
{
	unsigned char buf[BLOCK];
	char path[PATH_MAX];
	int fd;

	make_path(path, kind, thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int block = 0; fd >= 0 && block < NR_BLOCKS; block++) {
		int version = report->version[thread][target][block];

		if (version == UNKNOWN)
			continue;
		if (pread(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
			fault("a file is short");
		for (int at = 0; at < BLOCK; at++)
			if (buf[at] != byte_of(thread, target, block, version)) {
				fault("target %d, block %d: the file has %u at %d", target, block,
				      buf[at], at);
				return;
			}
	}
	close(fd);
}

/* Whole records, in order; each that was confirmed once, others once or never. */
static void check_records(int thread)
{
	unsigned char record[RECORD];
	char path[PATH_MAX];
	int fd, next = 0;
	ssize_t size;

	make_path(path, "records", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((size = read(fd, record, RECORD)) > 0) {
		int number = record[0] - 1;

		if (size != RECORD || number < next || number >= ROUNDS * NR_APPENDED) {
			fault("appended: record %d after %d, %zd bytes", number, next - 1, size);
			break;
		}
		for (int at = 0; at < RECORD; at++)
			if (record[at] != number + 1)
				fault("appended: record %d is torn", number);
		for (; next < number; next++)
			if (report->was_appended[thread][next])
				fault("appended: record %d is lost", next);
		next = number + 1;
	}
	for (; next < ROUNDS * NR_APPENDED; next++)
		if (report->was_appended[thread][next])
			fault("appended: record %d is lost", next);
	close(fd);
}

static int count_injected(const char *log)
{
	FILE *file = fopen(log, "r");
	char *line = NULL;
	size_t size = 0;
	int nr = report->nr_troubles;

	while (file && getline(&line, &size, file) > 0)
		nr += strstr(line, "(INJECTED)") && strstr(line, error_name);
	if (file)
		fclose(file);
	free(line);
	return nr;
}

/* Rounds end together, so that what is open can be compared from one to the next. */
static bool watch(pid_t child, pid_t tracer, int *status)
{
	int nr_fds = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int nr;

		if (!wait_until(&report->nr_ended[round], NR_THREADS, child, tracer, status))
			return false;
		nr = count_entries(child, "fd");
		if (round == ROUNDS - 1 && nr > nr_fds)
			fault("%d descriptors became %d in one round", nr_fds, nr);
		nr_fds = nr;
		atomic_store(&report->may_go, round + 1);
	}
	return true;
}

static int errno_named(const char *name)
{
	for (int error = 1; error < 200; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcmp(name, known) == 0)
			return error;
	}
	return 0;
}

static void remove_files(void)
{
	char path[PATH_MAX];

	for (int i = 0; i < NR_THREADS; i++) {
		make_path(path, "blocks", i);
		unlink(path);
		make_path(path, "direct", i);
		unlink(path);
		make_path(path, "records", i);
		unlink(path);
	}
	rmdir(directory);
}

static void watch_child(const char *log)
{
	pid_t child = fork(), tracer = 0;
	int status = -1;

	if (child == 0)
		workload_run();
	if (!wait_until(&report->nr_ready, NR_THREADS, child, 0, &status)) {
		kill(child, SIGKILL);
		exit(2);
	}
	if (disturb_is_chosen())
		atomic_store(&report->has_begun, true);
	else
		tracer = start_strace(child, log);
	if (watch(child, tracer, &status)) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			report_end(status);
	} else {
		report_end(status);
		kill(-child, SIGKILL);
		waitpid(child, &status, 0);
	}
	if (tracer && waitpid(tracer, &status, 0) == tracer && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 127)
		exit(2);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	static char path[PATH_MAX - 32];

	if (argc != 5) {
		fprintf(stderr, "usage: faulted LOG CALL ERROR WHEN\n");
		return 2;
	}
	call = argv[2];
	error_name = argv[3];
	when = argv[4];
	injected = errno_named(error_name);
	snprintf(path, sizeof(path), "%s/faulted.XXXXXX", tmp ? tmp : "/tmp");
	directory = mkdtemp(path);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (report == MAP_FAILED || !directory) {
		perror("faulted");
		return 2;
	}
	watch_child(argv[1]);
	for (int thread = 0; thread < NR_THREADS && !report->has_fault; thread++) {
		check_blocks(thread, BUFFERED, "blocks");
		check_blocks(thread, DIRECT, "direct");
		check_records(thread);
	}
	remove_files();
	if (report->has_fault)
		printf("FAULT %s (%d calls failed)\n", report->fault, count_injected(argv[1]));
	else
		printf("ok %d %d %d\n", count_injected(argv[1]), report->nr_refused,
		       report->nr_failed);
	return report->has_fault;
}
