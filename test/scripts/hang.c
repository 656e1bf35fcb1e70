// SPDX-License-Identifier: MIT
/*
 * hang.c - a program with requests that do not end, for dump.sh
 *
 * Its first argument says which.  It prints "ready" when they are where they stay, "skip" and the
 * reason if this machine cannot have them, and ends when its input does.
 */
#include "blocked.h"
#include "frozen.h"
#include "offload.h"
#include "served.h"
#include "shortage.h"
#include "vectors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NR_MAX 10000

static struct aiocb cbs[NR_MAX];
static char bufs[NR_MAX][8];
static int ends[2];

/* The test looks meanwhile. */
static void wait_for_end_of_input(const char *line)
{
	char byte;

	puts(line);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static int unable(void)
{
	puts("");
	return 77;
}

/* ---- which requests ---- */

static void read_pipe(int nr)
{
	open_pipe(ends);
	for (int i = 0; i < nr; i++)
		submit_read(&cbs[i], ends[0], bufs[i], sizeof(bufs[i]), 0);
}

/* Nobody has stopped them: they end as if nothing had been. */
static int check_pipe(int nr)
{
	for (int i = 0; i < nr; i++) {
		write_fully(ends[1], "01234567", 8);
		check_equal(outcome(&cbs[i]), 8);
		check_memory(bufs[i], "01234567", 8);
	}
	return 0;
}

static int hang_pipe(const char *number)
{
	int nr = number ? atoi(number) : 1;

	read_pipe(nr);
	wait_for_end_of_input("ready");
	return check_pipe(nr);
}

/* Many pipes, with two reads each. */
static int hang_pipes(const char *number)
{
	int nr = atoi(number);

	for (int i = 0; i < nr; i++) {
		open_pipe(ends);
		for (int j = 0; j < 2; j++)
			submit_read(&cbs[2 * i + j], ends[0], bufs[0], 8, 0);
	}
	wait_for_end_of_input("ready");
	return 0;
}

/* Without an answer of its server.  The others wait for the read. */
static int hang_served(const char *is_closed)
{
	int fd;

	printf("skip ");
	if (!served_start())
		return unable();
	fd = served_open("held", O_RDWR);
	submit_read(&cbs[0], fd, bufs[0], 8, 4096);
	eventually(served_nr_held() == 1);
	submit_write(&cbs[1], fd, bufs[1], 8, 4096);
	aiocb_init(&cbs[2], fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cbs[2]), 0);
	aiocb_init(&cbs[3], fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cbs[3]), 0);
	if (is_closed)
		close(fd);
	wait_for_end_of_input("\nready");
	served_release();
	check_equal(outcome(&cbs[0]), 8);
	check_equal(outcome(&cbs[1]), 8);
	check_equal(outcome(&cbs[2]), 0);
	check_equal(outcome(&cbs[3]), 0);
	return 0;
}

static int closed_fd;

static void *close_it(void *is_range)
{
	check_equal(is_range ? close_range((unsigned)closed_fd, (unsigned)closed_fd + 1, 0)
			     : close(closed_fd),
		    0);
	return NULL;
}

/* Where no file can be held for the write, which waits for the read, close waits for both. */
static int hang_close(const char *is_range)
{
	pthread_t thread;

	printf("skip ");
	if (!served_start())
		return unable();
	closed_fd = served_open("held", O_RDWR);
	submit_read(&cbs[0], closed_fd, bufs[0], 8, 0);
	eventually(served_nr_held() == 1);
	submit_write(&cbs[1], closed_fd, bufs[1], 8, 0);
	check_equal(pthread_create(&thread, NULL, close_it, (void *)(uintptr_t)is_range), 0);
	wait_for_end_of_input("\nready");
	served_release();
	check_equal(pthread_join(thread, NULL), 0);
	check_equal(outcome(&cbs[1]), 8);
	return 0;
}

static int hang_frozen(const char *unused)
{
	(void)unused;
	printf("skip ");
	if (!frozen_start())
		return unable();
	choose_default_deadline(60000);
	cbs[0].aio_fildes = frozen_file(0);
	frozen_stop();
	submit_write(&cbs[0], cbs[0].aio_fildes, direct_buffer(LONG_SIZE), LONG_SIZE, LONG_SIZE);
	wait_for_end_of_input("\nready");
	frozen_go_on();
	check_equal(outcome(&cbs[0]), LONG_SIZE);
	return 0;
}

/* The library may have to use a file before it knows what it is. */
static void find_out(int fd)
{
	char *data = direct_buffer(4096);

	for (int i = 0; i < 50; i++) {
		check_equal(write_now(fd, data, 4096, 0), 4096);
		short_pause();
	}
}

/* The file of a loop device is frozen, so that the device ends nothing. */
static int hang_device(const char *unused)
{
	char image[64], device[32], *data = direct_buffer(4096);
	int file, disk;

	(void)unused;
	printf("skip ");
	if (!frozen_start())
		return unable();
	choose_default_deadline(60000);
	file = frozen_file(0);
	check_equal(ftruncate(file, 1 << 20), 0);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", file);
	check(frozen_attach(image, device) >= 0);
	disk = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	check(disk >= 0);
	find_out(disk);
	frozen_stop();
	submit_write(&cbs[0], disk, data, 4096, 8192);
	wait_for_end_of_input("\nready");
	frozen_go_on();
	check_equal(outcome(&cbs[0]), 4096);
	return 0;
}

/* A worker is idle, so that the call hands the write over. */
static int hang_offload(const char *unused)
{
	static struct blocked first, second;

	(void)unused;
	printf("skip ");
	if (!block_at(&first, temp_file(0), 0))
		return unable();
	unblock(&first, 'x');
	check(block_at(&second, temp_file(0), 8192));
	/* It must wait for the file's lock. */
	submit_write(&cbs[0], second.fd, filled_buffer('z'), SIZE, 1 << 20);
	wait_for_end_of_input("\nready");
	unblock(&second, 'y');
	check_equal(outcome(&cbs[0]), SIZE);
	return 0;
}

/* Memory that is not there holds up the thread that copies. */
static int hang_copier(const char *unused)
{
	static struct gate gate;
	int fd = memory_file();

	(void)unused;
	printf("skip ");
	if (!gate_make(&gate, 4096))
		return unable();
	check_equal(ftruncate(fd, 4096), 0);
	check_equal(read_now(fd, direct_buffer(4096), 4096, 0), 4096);
	submit_read(&cbs[0], fd, gate.memory, 4096, 0);
	gate_await(&gate);
	wait_for_end_of_input("\nready");
	gate_open(&gate, 'x');
	check_equal(outcome(&cbs[0]), 4096);
	return 0;
}

static struct gate direct_gate;

static void *read_direct(void *fd)
{
	submit_read(&cbs[0], *(int *)fd, direct_gate.memory, 4096, 8192);
	check_equal(outcome(&cbs[0]), 4096);
	return NULL;
}

/* It holds up the call that submits to Linux AIO, too. */
static int hang_direct(const char *unused)
{
	int fd = direct_file(1 << 20, 0);
	pthread_t thread;

	(void)unused;
	printf("skip ");
	if (fd < 0)
		return puts("no O_DIRECT here"), 77;
	find_out(fd);
	if (!gate_make(&direct_gate, 4096))
		return unable();
	check_equal(pthread_create(&thread, NULL, read_direct, &fd), 0);
	gate_await(&direct_gate);
	wait_for_end_of_input("\nready");
	gate_open(&direct_gate, 'x');
	check_equal(pthread_join(thread, NULL), 0);
	return 0;
}

/* The request is complete, but no more signals may wait. */
static int hang_signal(const char *unused)
{
	struct rlimit limit;
	struct sigevent event;

	(void)unused;
	catch_signal(SIGRTMIN, 0);
	getrlimit(RLIMIT_SIGPENDING, &limit);
	limit.rlim_cur = 0;
	check_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	open_pipe(ends);
	notify_by_signal(&event, SIGRTMIN, 7);
	submit_notified_read(&cbs[0], ends[0], &event);
	write_fully(ends[1], "01234567", 8);
	eventually(aio_error(&cbs[0]) == 0);
	wait_for_end_of_input("ready");
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	eventually(nr_caught() == 1);
	return 0;
}

static sem_t is_over;

static void wait_till_over(union sigval unused)
{
	(void)unused;
	while (sem_wait(&is_over) != 0)
		continue;
}

/* Each takes a thread until it returns, and there may be one. */
static int hang_callback(const char *unused)
{
	struct sigevent event;

	(void)unused;
	sem_init(&is_over, 0, 0);
	open_pipe(ends);
	notify_by_thread(&event, wait_till_over, NULL);
	for (int i = 0; i < 2; i++) {
		submit_notified_read(&cbs[i], ends[0], &event);
		write_fully(ends[1], "01234567", 8);
		eventually(aio_error(&cbs[i]) == 0);
	}
	wait_for_end_of_input("ready");
	sem_post(&is_over);
	sem_post(&is_over);
	return 0;
}

/* Reads that block have a thread each, and there are too few. */
static int hang_shortage(const char *unused)
{
	(void)unused;
	begin_shortage(ONE_READ);
	for (int i = 0; i < 10; i++) {
		open_pipe(ends);
		submit_read(&cbs[i], ends[0], bufs[i], 8, 0);
	}
	wait_for_end_of_input("ready");
	end_shortage();
	return 0;
}

/* A child that has ended, for which nobody has waited. */
static int hang_ended(const char *unused)
{
	siginfo_t info;
	char line[32];
	pid_t child = fork();

	(void)unused;
	check(child >= 0);
	if (child == 0)
		_exit(0);
	check_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	snprintf(line, sizeof(line), "ready %d", (int)child);
	wait_for_end_of_input(line);
	return 0;
}

#define NR_BUSY 16
static atomic_bool is_to_end;

/* Records come and go as fast as they can. */
static void *be_busy(void *unused)
{
	int fd = temp_file_filled(NR_BUSY * sizeof(bufs[0]));

	while (!atomic_load(&is_to_end)) {
		for (int i = 0; i < NR_BUSY; i++)
			submit_read(&cbs[i], fd, bufs[i], sizeof(bufs[i]),
				    i * (off_t)sizeof(bufs[i]));
		for (int i = 0; i < NR_BUSY; i++)
			check_equal(outcome(&cbs[i]), sizeof(bufs[i]));
	}
	return unused;
}

static int hang_busy(const char *unused)
{
	pthread_t thread;

	(void)unused;
	check_equal(pthread_create(&thread, NULL, be_busy, NULL), 0);
	wait_for_end_of_input("ready");
	atomic_store(&is_to_end, true);
	check_equal(pthread_join(thread, NULL), 0);
	return 0;
}

static void *wait_for_list(void *unused)
{
	struct aiocb *list[] = { &cbs[0], &cbs[1] };

	open_pipe(ends);
	aiocb_init_lio(&cbs[0], LIO_READ, ends[0], bufs[0], 8, 0);
	aiocb_init_lio(&cbs[1], LIO_READ, ends[0], bufs[1], 8, 0);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), 0);
	return unused;
}

static int hang_list(const char *unused)
{
	pthread_t thread;

	(void)unused;
	check_equal(pthread_create(&thread, NULL, wait_for_list, NULL), 0);
	wait_for_end_of_input("ready");
	write_fully(ends[1], "0123456701234567", 16);
	check_equal(pthread_join(thread, NULL), 0);
	return 0;
}

static int hang_vectors(const char *unused)
{
	char *buf = bufs[0];
	struct iovec vector[] = { { buf, 3 }, { buf + 3, 5 } };

	(void)unused;
	check(has_vectors());
	open_pipe(ends);
	submit_readv(&cbs[0], ends[0], vector, 2, 0);
	wait_for_end_of_input("ready");
	return check_pipe(1);
}

static int hang_nothing(const char *unused)
{
	(void)unused;
	read_pipe(1);
	check_pipe(1);
	wait_for_end_of_input("ready");
	return 0;
}

/* The child has not used AIO, or has a request of its own. */
static int hang_child(const char *uses)
{
	char line[32];
	pid_t child;
	int status;

	read_pipe(3);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (uses)
			read_pipe(1);
		snprintf(line, sizeof(line), "ready %d", (int)getpid());
		wait_for_end_of_input(line);
		_exit(0);
	}
	check_equal(waitpid(child, &status, 0), child);
	check_equal(status, 0);
	return check_pipe(3);
}

static const struct {
	const char *name;
	int (*hang)(const char *argument);
} kinds[] = {
	{ "pipes", hang_pipes },       { "busy", hang_busy },         { "device", hang_device },
	{ "callback", hang_callback }, { "shortage", hang_shortage }, { "ended", hang_ended },
	{ "pipe", hang_pipe },         { "served", hang_served },     { "close", hang_close },
	{ "frozen", hang_frozen },     { "offload", hang_offload },   { "list", hang_list },
	{ "nothing", hang_nothing },   { "child", hang_child },       { "copier", hang_copier },
	{ "direct", hang_direct },     { "signal", hang_signal },     { "vectors", hang_vectors },
};

int main(int argc, char **argv)
{
	support_is_child = true;
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			return kinds[i].hang(argc > 2 ? argv[2] : NULL);
	return 2;
}
