// SPDX-License-Identifier: MIT
/*
 * test_lio_cached.c - lists that read what is in memory
 *
 * However few system calls such a list takes, each entry has the result, the error and the
 * notification that it would have by itself, and takes effect in its order.  A process that has
 * read little so far may read one by one; RTAIO_TEST_COPIER makes it read several at once.
 */
#include "offload.h"

#include <stdatomic.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/time.h>

#define NR     70
#define SIZE   65536u
#define ROUNDS 20
#define SIGNAL (SIGRTMIN + 3)

struct reads {
	struct aiocb cbs[NR], *list[NR];
	size_t wanted[NR]; /* how much an entry should read */
	char *buf;         /* SIZE bytes for each entry, twice as many for the last one */
	unsigned int seed;
};

static void reads_open(struct reads *reads, unsigned int seed)
{
	check_equal(posix_memalign((void **)&reads->buf, BLOCK, (NR + 1) * SIZE), 0);
	reads->seed = seed;
	for (int i = 0; i < NR; i++)
		reads->list[i] = &reads->cbs[i];
}

static unsigned int any(struct reads *reads, unsigned int limit)
{
	reads->seed = reads->seed * 1103515245u + 12345u;
	return (reads->seed >> 8) % limit;
}

static void read_block(struct reads *reads, int i, int fd, size_t size, off_t offset)
{
	size_t rest = offset < (off_t)FILE_SIZE ? FILE_SIZE - (size_t)offset : 0;

	aiocb_init_lio(&reads->cbs[i], LIO_READ, fd, reads->buf + (size_t)i * SIZE, size, offset);
	reads->wanted[i] = size < rest ? size : rest;
}

/* Blocks of the size that most programs read, others, and some that cross the end of the file. */
static void read_anything(struct reads *reads, int fd, int nr)
{
	memset(reads->buf, 0, NR * SIZE);
	for (int i = 0; i < nr; i++) {
		if (any(reads, 4))
			read_block(reads, i, fd, BLOCK,
				   (off_t)any(reads, FILE_SIZE / BLOCK) * BLOCK);
		else
			read_block(reads, i, fd, 1 + any(reads, SIZE),
				   any(reads, FILE_SIZE + FILE_SIZE / 16));
	}
}

static void check_read(const struct reads *reads, int i)
{
	struct aiocb *cb = reads->list[i];

	check_equal(outcome(cb), reads->wanted[i]);
	check_pattern((char *)(uintptr_t)cb->aio_buf, (size_t)cb->aio_offset, reads->wanted[i]);
}

static void do_list(struct reads *reads, int nr, int mode)
{
	check_equal(lio_listio(mode, reads->list, nr, NULL), 0);
	for (int i = 0; i < nr; i++)
		check_read(reads, i);
}

static void do_lists(struct reads *reads, int fd)
{
	for (int i = 0; i < ROUNDS; i++) {
		int nr = 1 + (int)any(reads, NR);

		read_anything(reads, fd, nr);
		do_list(reads, nr, i % 2 ? LIO_WAIT : LIO_NOWAIT);
	}
}

static int read_much(void)
{
	struct reads reads;
	int fd = temp_file_filled(FILE_SIZE), file;

	reads_open(&reads, 1);
	do_lists(&reads, fd);
	file = direct_file(FILE_SIZE, 0);
	if (file < 0)
		return 0;
	check_equal(fcntl(file, F_SETFL, 0), 0); /* on a disk, without O_DIRECT */
	for (int i = 0; i < ROUNDS; i++) {
		/* A part of the file, and of its blocks, is not in memory. */
		check_equal(fsync(file), 0);
		posix_fadvise(file, 0, 0, i % 2 ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL);
		posix_fadvise(file, any(&reads, FILE_SIZE), any(&reads, FILE_SIZE),
			      POSIX_FADV_DONTNEED);
		do_lists(&reads, file);
	}
	return 0;
}

static int fail_in_between(void)
{
	enum { NR_BAD = 5 };
	static const int errors[NR_BAD] = { EBADF, EINVAL, EFAULT, EISDIR, EINVAL };
	int dir = open(".", O_RDONLY | O_DIRECTORY), fd = temp_file_filled(FILE_SIZE);
	struct reads reads;

	reads_open(&reads, 2);
	for (int round = 0; round < ROUNDS; round++) {
		read_anything(&reads, fd, NR);
		read_block(&reads, 5, fd, 0, BLOCK);
		read_block(&reads, NR - 1, fd, 2 * SIZE, BLOCK);
		for (int i = 0; i < NR_BAD; i++) {
			struct aiocb *cb = reads.list[8 + 13 * i + round % 3];

			cb->aio_fildes = i == 0 ? -1 : i == 3 ? dir : fd;
			cb->aio_offset = i == 1 ? -1 : i == 4 ? INT64_MAX - 1 : 0;
			cb->aio_buf = i == 2 ? NULL : cb->aio_buf;
			cb->aio_nbytes = BLOCK;
		}
		errno = 0;
		check_equal(lio_listio(LIO_WAIT, reads.list, NR, NULL), -1);
		check_equal(errno, EIO);
		for (int i = 0; i < NR; i++) {
			int bad = (i - 8 - round % 3) % 13 ? NR_BAD : (i - 8 - round % 3) / 13;

			if (i >= 8 + round % 3 && bad < NR_BAD)
				check_equal(outcome(reads.list[i]), -errors[bad]);
			else
				check_read(&reads, i);
		}
	}
	return 0;
}

/* Each write lies between reads of its block, which see what was there before, or what it wrote. */
static int write_in_between(void)
{
	enum { EACH = 7 };
	int fd = temp_file_filled(FILE_SIZE);
	struct reads reads;

	reads_open(&reads, 3);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < NR; i++) {
			read_block(&reads, i, fd, BLOCK, BLOCK);
			memset(reads.buf + (size_t)i * SIZE, i % EACH ? 0 : round + i + 1, BLOCK);
			if (i % EACH == 0)
				reads.cbs[i].aio_lio_opcode = LIO_WRITE;
		}
		check_equal(lio_listio(round % 2, reads.list, NR, NULL), 0);
		for (int i = 0; i < NR; i++) {
			const char *written = reads.buf + (size_t)(i - i % EACH) * SIZE;

			check_equal(outcome(reads.list[i]), BLOCK);
			check_memory(reads.buf + (size_t)i * SIZE, written, BLOCK);
		}
	}
	return 0;
}

static int notify_in_between(void)
{
	enum { EACH = 9 };
	int fd = temp_file_filled(FILE_SIZE);
	struct reads reads;

	reads_open(&reads, 4);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int nr = 0;

		catch_signal(SIGNAL, 0);
		if (round % 2)
			change_mask(SIG_BLOCK, SIGNAL);
		read_anything(&reads, fd, NR);
		for (int i = EACH - 1; i < NR; i += EACH, nr++)
			notify_by_signal(&reads.cbs[i].aio_sigevent, SIGNAL, i);
		do_list(&reads, NR, LIO_NOWAIT);
		change_mask(SIG_UNBLOCK, SIGNAL);
		eventually(nr_caught() == nr);
		for (unsigned int i = 0; i < nr; i++)
			check(caught(i)->si_value.sival_int % EACH == EACH - 1);
		release_signals();
	}
	return 0;
}

/* ---- others at work meanwhile ---- */

#define NR_THREADS 4

static int shared_fd;

static void *read_lists(void *seed)
{
	struct reads reads;

	reads_open(&reads, (unsigned int)(uintptr_t)seed);
	for (int i = 0; i < 4; i++)
		do_lists(&reads, shared_fd);
	free(reads.buf);
	return NULL;
}

/* Requests that another interface of the kernel may serve, one after the other. */
static void read_past_the_cache(int fd)
{
	char *buf;

	check_equal(posix_memalign((void **)&buf, BLOCK, BLOCK), 0);
	for (int i = 0; i < 300; i++) {
		off_t offset = (off_t)(i * 37) % (FILE_SIZE / BLOCK) * BLOCK;

		check_equal(read_now(fd, buf, BLOCK, offset), BLOCK);
		check_pattern(buf, (size_t)offset, BLOCK);
	}
	free(buf);
}

static int read_in_threads(void)
{
	pthread_t threads[NR_THREADS];
	int direct = direct_file(FILE_SIZE, 0);

	shared_fd = temp_file_filled(FILE_SIZE);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		threads[i] = start_thread(read_lists, (void *)(i + 10));
	if (direct >= 0)
		read_past_the_cache(direct);
	for (int i = 0; i < NR_THREADS; i++)
		join_thread(threads[i]);
	return 0;
}

static struct reads in_handler;
static atomic_int nr_handled;
static int direct_fd;

/* A timer that goes on by itself may leave no time but for the handler. */
static void set_timer(void)
{
	struct itimerval soon = { .it_value.tv_usec = 1000 };

	check_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

static void read_in_handler(int signo)
{
	static char buf[BLOCK] __attribute__((aligned(BLOCK)));
	int saved_errno = errno;

	(void)signo;
	read_anything(&in_handler, shared_fd, 20);
	do_list(&in_handler, 20, nr_handled % 2 ? LIO_WAIT : LIO_NOWAIT);
	if (direct_fd >= 0)
		check_equal(read_now(direct_fd, buf, BLOCK, 0), BLOCK);
	nr_handled++;
	set_timer();
	errno = saved_errno;
}

static int read_beside_a_handler(void)
{
	struct sigaction action = { .sa_handler = read_in_handler, .sa_flags = SA_RESTART };
	struct reads reads;

	shared_fd = temp_file_filled(FILE_SIZE);
	direct_fd = direct_file(FILE_SIZE, 0);
	reads_open(&reads, 5);
	reads_open(&in_handler, 6);
	check_equal(sigaction(SIGALRM, &action, NULL), 0);
	set_timer();
	for (int i = 0; i < 10 || nr_handled < 300; i++) {
		read_anything(&reads, shared_fd, NR);
		check_equal(lio_listio(LIO_NOWAIT, reads.list, NR, NULL), 0);
		for (int j = 0; j < NR; j++)
			check_read(&reads, j);
	}
	return 0;
}

static void switch_direct_mode(void)
{
	check_equal(fcntl(direct_fd, F_SETFL, 0), 0);
	check_equal(fcntl(direct_fd, F_SETFL, O_DIRECT), 0);
}

/* What was to be copied from memory is read from the disk. */
static int read_beside_a_switch(void)
{
	struct reads reads;

	direct_fd = direct_file(FILE_SIZE, 0);
	if (direct_fd < 0)
		return CHILD_SKIPPED;
	reads_open(&reads, 9);
	begin_storm(switch_direct_mode);
	for (int round = 0; round < 30 * ROUNDS; round++) {
		for (int i = 0; i < NR; i++)
			read_block(&reads, i, direct_fd, BLOCK,
				   (off_t)any(&reads, FILE_SIZE / BLOCK) * BLOCK);
		do_list(&reads, NR, round % 2 ? LIO_WAIT : LIO_NOWAIT);
	}
	end_storm();
	return 0;
}

static int read_in_this_child(void)
{
	struct reads reads;

	reads_open(&reads, 7);
	do_lists(&reads, shared_fd);
	return 0;
}

static int read_in_children(void)
{
	shared_fd = temp_file_filled(FILE_SIZE);
	for (int i = 0; i < 3; i++) {
		read_in_this_child();
		check_in_child(read_in_this_child, 20000);
	}
	return read_in_this_child();
}

/* ---- programs that watch ---- */

/* How many of the descriptors' watches have an event? */
static unsigned int watches_seen(int watcher)
{
	char events[4096] __attribute__((aligned(8)));
	ssize_t size = read(watcher, events, sizeof(events));
	unsigned int seen = 0;

	for (ssize_t i = 0; i < size;) {
		const struct inotify_event *event = (const void *)&events[i];

		seen |= 1u << event->wd;
		i += (ssize_t)(sizeof(*event) + event->len);
	}
	return seen;
}

static int watch_lists(void)
{
	int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), fds[2], wds[2];
	struct reads reads;
	char path[64];

	check(watcher >= 0);
	reads_open(&reads, 8);
	for (int i = 0; i < 2; i++) {
		fds[i] = temp_file_filled(FILE_SIZE);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
		wds[i] = inotify_add_watch(watcher, path, IN_ACCESS);
		check(wds[i] >= 0 && wds[i] < 32);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < NR / 4; i++)
			read_block(&reads, i, fds[i >= NR / 8], BLOCK, (off_t)i * BLOCK);
		do_list(&reads, NR / 4, LIO_WAIT);
		check_equal(watches_seen(watcher), 1u << wds[0] | 1u << wds[1]);
	}
	return 0;
}

TEST_OFFLOAD(test_long_lists_of_reads_find_what_is_there, read_much, 60000)
TEST_OFFLOAD(test_failed_read_of_a_list_leaves_the_others_alone, fail_in_between, 20000)
TEST_OFFLOAD(test_writes_of_a_list_take_effect_between_its_reads, write_in_between, 20000)
TEST_OFFLOAD(test_reads_of_a_list_that_notify_lie_among_others, notify_in_between, 20000)
TEST_OFFLOAD(test_lists_of_several_threads_are_read_at_once, read_in_threads, 60000)
TEST_OFFLOAD(test_handler_reads_a_list_while_a_list_is_read, read_beside_a_handler, 60000)
TEST_OFFLOAD(test_direct_mode_is_switched_while_a_list_is_read, read_beside_a_switch, 60000)
TEST_OFFLOAD(test_children_read_lists, read_in_children, 60000)
TEST_OFFLOAD(test_watchers_of_a_file_see_that_a_list_reads, watch_lists, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_lists_of_reads_find_what_is_there),
		cmocka_unit_test(test_failed_read_of_a_list_leaves_the_others_alone),
		cmocka_unit_test(test_writes_of_a_list_take_effect_between_its_reads),
		cmocka_unit_test(test_reads_of_a_list_that_notify_lie_among_others),
		cmocka_unit_test(test_lists_of_several_threads_are_read_at_once),
		cmocka_unit_test(test_handler_reads_a_list_while_a_list_is_read),
		cmocka_unit_test(test_direct_mode_is_switched_while_a_list_is_read),
		cmocka_unit_test(test_children_read_lists),
		cmocka_unit_test(test_watchers_of_a_file_see_that_a_list_reads),
	};

	return cmocka_run_group_tests_name("lio_cached", tests, NULL, NULL);
}
