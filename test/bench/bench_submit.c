// SPDX-License-Identifier: MIT
/*
 * bench_submit.c - time that the caller spends inside aio_read and aio_write
 *
 * bench_submit posix|psync SECONDS FILE cached-read|buffered-write|direct-read|dirty-write|burst
 *
 * One 4 KiB request at a time, at random offsets; only the submitting call is
 * measured, not the wait (for psync: pread and pwrite).  dirty-write does
 * buffered writes while another process writes as fast as it can and the
 * kernel keeps the disk busy with what is dirty.
 *
 * burst: 512 buffered writes of 64 KiB, and what all of these calls take together.
 *
 * On standard error: how many calls were slow, and of these, in how many the
 * thread slept and in how many it was preempted.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES_MAX     (4u << 20)
#define DIRTY_STEP      (1u << 20)
#define DIRTY_MAX       (16ull << 30)
#define SATURATE_MAX_NS 20000000000u
#define SLOW_NS         100000u
#define BURST_NR        512
#define BURST_BYTES     65536

static struct bench_file file;
static bool is_posix, is_write;
static char *buffer;
static uint64_t seed = 1;

static size_t nr_slow, nr_slept, nr_preempted;

static struct rusage usage_of_thread(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage;
}

static void note_slow(const struct rusage *before)
{
	struct rusage after = usage_of_thread();

	nr_slow++;
	if (after.ru_nvcsw != before->ru_nvcsw)
		nr_slept++;
	else if (after.ru_nivcsw != before->ru_nivcsw)
		nr_preempted++;
}

static uint64_t sample(void)
{
	struct rusage before = usage_of_thread();
	struct aiocb cb;
	uint64_t begin;
	ssize_t ret;

	bench_fill(&cb, &file, buffer, &seed);
	begin = now_ns();
	if (is_posix)
		ret = is_write ? aio_write(&cb) : aio_read(&cb);
	else if (is_write)
		ret = pwrite(file.fd, buffer, BLOCK_BYTES, cb.aio_offset);
	else
		ret = pread(file.fd, buffer, BLOCK_BYTES, cb.aio_offset);
	begin = now_ns() - begin;
	if (begin > SLOW_NS)
		note_slow(&before);
	if (ret < 0)
		die("submitting");
	if (is_posix)
		bench_wait(&cb, BLOCK_BYTES);
	return begin;
}

/* The file is overwritten again and again, so that no memory becomes dirty anew. */
static uint64_t sample_burst(void)
{
	static struct aiocb cbs[BURST_NR];
	off_t nr_places = file.nr_blocks * BLOCK_BYTES / BURST_BYTES;
	uint64_t begin;

	if (nr_places < BURST_NR)
		die("the file is too short for a burst");
	begin = now_ns();
	for (int i = 0; i < BURST_NR; i++) {
		cbs[i] = (struct aiocb){
			.aio_fildes = file.fd,
			.aio_buf = buffer,
			.aio_nbytes = BURST_BYTES,
			.aio_offset = (off_t)i * BURST_BYTES,
			.aio_sigevent.sigev_notify = SIGEV_NONE,
		};
		if ((is_posix ? aio_write(&cbs[i])
			      : pwrite(file.fd, buffer, BURST_BYTES, cbs[i].aio_offset)) < 0)
			die("submitting");
	}
	begin = now_ns() - begin;
	for (int i = 0; is_posix && i < BURST_NR; i++)
		bench_wait(&cbs[i], BURST_BYTES);
	return begin;
}

/* Room for what is going to be dirty, and some more for everybody else. */
static uint64_t space_for_dirt(int fd)
{
	struct statvfs fs;
	uint64_t bytes;

	if (fstatvfs(fd, &fs) < 0)
		die("statvfs");
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize / 2;
	return bytes < DIRTY_MAX ? bytes : DIRTY_MAX;
}

/* Writes until killed. */
__attribute__((noreturn)) static void write_dirt(int fd)
{
	char *step = bench_buffer(DIRTY_STEP);
	uint64_t max = space_for_dirt(fd);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t offset = 0;; offset = (offset + DIRTY_STEP) % max)
		if (pwrite(fd, step, DIRTY_STEP, (off_t)offset) != DIRTY_STEP)
			die("writing what is to be dirty");
}

/*
 * Is there so much dirty memory that the kernel writes it back all the time?
 * It hovers about that limit when the disk is fast, and goes on to where
 * writers have to wait when it is slow.
 */
static bool is_saturated(void)
{
	uint64_t dirty = 0, limit = UINT64_MAX;
	FILE *vmstat = fopen("/proc/vmstat", "r");
	unsigned long long value;
	char name[64];

	if (!vmstat)
		die("/proc/vmstat");
	while (fscanf(vmstat, "%63s %llu", name, &value) == 2) {
		if (!strcmp(name, "nr_dirty") || !strcmp(name, "nr_writeback"))
			dirty += value;
		if (!strcmp(name, "nr_dirty_background_threshold"))
			limit = value;
	}
	fclose(vmstat);
	return dirty >= limit / 20 * 19;
}

/* Returns the writer, once it has begun to keep the disk busy. */
static pid_t saturate(const char *path)
{
	uint64_t end_ns = now_ns() + SATURATE_MAX_NS;
	char *name;
	pid_t child;
	int fd;

	if (asprintf(&name, "%s.dirt", path) < 0)
		die("memory for a name");
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s", name);
	unlink(name);
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		write_dirt(fd);
	while (!is_saturated()) {
		usleep(10000);
		errno = 0;
		if (now_ns() > end_ns)
			die("not enough memory became dirty");
	}
	return child;
}

int main(int argc, char **argv)
{
	static uint64_t samples[SAMPLES_MAX];
	const char *kind = argc == 5 ? argv[4] : "";
	bool is_burst = !strcmp(kind, "burst");
	uint64_t end_ns;
	size_t nr = 0;
	pid_t writer = 0;

	if (argc != 5)
		die("usage: bench_submit posix|psync SECONDS FILE "
		    "cached-read|buffered-write|direct-read|dirty-write|burst");
	is_posix = !strcmp(argv[1], "posix");
	is_write = strstr(kind, "-write") != NULL;
	end_ns = bench_duration(argv[2]);
	bench_open(&file, argv[3], !strncmp(kind, "direct", 6) ? "direct" : "cached");
	buffer = bench_buffer(is_burst ? BURST_BYTES : BLOCK_BYTES);
	if (!strcmp(kind, "dirty-write"))
		writer = saturate(argv[3]);
	is_burst ? sample_burst() : sample(); /* The first request starts what serves the others. */
	bench_begin();
	while (nr < SAMPLES_MAX && bench_elapsed_ns() < end_ns)
		samples[nr++] = is_burst ? sample_burst() : sample();
	if (writer) {
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
	}
	fprintf(stderr, "%zu of %zu calls took longer than %u us: %zu slept, %zu were preempted\n",
		nr_slow, nr, SLOW_NS / 1000, nr_slept, nr_preempted);
	bench_report_percentiles(samples, nr);
	return 0;
}
