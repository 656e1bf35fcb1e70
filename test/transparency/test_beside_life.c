// SPDX-License-Identifier: MIT
/*
 * test_beside_life.c - what happens to a program while requests are beside it
 *
 * A close, a fork or a signal between submission and completion changes nothing
 * for a request that a thread beside the program serves (test_beside.c), nor
 * does it matter which thread submits and which one collects.
 */
#include "beside.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* ---- the number is taken away, and given to another file ---- */

#define TAKE_SIZE (16 * BLOCK)

static void by_close(int fd, int other)
{
	check_equal(close(fd), 0);
	check_equal(fcntl(other, F_DUPFD, fd), fd);
}

static void by_dup2(int fd, int other)
{
	check_equal(dup2(other, fd), fd);
}

typedef void take_fn(int fd, int other);

/* Many on the number, of which the last are under way. */
static void run_deep_on(int fd)
{
	struct work work;

	work_open_filled(&work, fd, 0, 64 * BLOCK, BLOCK, DEPTH);
	for (size_t i = 0; i < 400; i++)
		work_write(&work, i % 64 * BLOCK, BLOCK);
	work_close(&work);
}

static void check_file_is(int fd, int value, off_t offset, size_t size)
{
	char *found = malloc(size);

	check_equal(pread(fd, found, size, offset), size);
	for (size_t i = 0; i < size; i++)
		check_equal(found[i], value);
	free(found);
}

/* Done as a whole, or cancelled as one. */
static bool was_done(struct aiocb *cb, size_t size)
{
	ssize_t res = outcome(cb);

	if (res == -ECANCELED)
		return false;
	check_equal(res, size);
	return true;
}

static void take_from_writes(take_fn *take, int other, char *buf, size_t size)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file(0), kept = reopen(fd, O_RDWR);

	run_deep_on(fd);
	memset(buf, 'w', DEPTH * size);
	for (int i = 0; i < DEPTH; i++)
		submit_write(&cbs[i], fd, buf + i * size, size, (off_t)(i * size));
	take(fd, other);
	for (int i = 0; i < DEPTH; i++)
		if (was_done(&cbs[i], size))
			check_file_is(kept, 'w', (off_t)(i * size), size);
	check_file_is(other, 'o', 0, DEPTH * TAKE_SIZE);
	close(fd);
	close(kept);
}

static void take_from_reads(take_fn *take, int other, char *buf, size_t size)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file_filled(DEPTH * TAKE_SIZE);

	for (int i = 0; i < 400; i++) {
		char *place = buf + (size_t)(i % DEPTH) * BLOCK;

		if (i >= DEPTH)
			check_equal(outcome(&cbs[i % DEPTH]), BLOCK);
		submit_read(&cbs[i % DEPTH], fd, place, BLOCK, i % 64 * BLOCK);
	}
	for (int i = 0; i < DEPTH; i++)
		check_equal(outcome(&cbs[i]), BLOCK);
	for (int i = 0; i < DEPTH; i++)
		submit_read(&cbs[i], fd, buf + i * size, size, (off_t)(i * size));
	take(fd, other);
	for (int i = 0; i < DEPTH; i++)
		if (was_done(&cbs[i], size))
			check_pattern(buf + i * size, i * size, size);
	close(fd);
}

/* Short copies, of which more may be waiting, and long ones, whose turn comes later. */
static void take_numbers(take_fn *take)
{
	char *buf = direct_buffer(DEPTH * TAKE_SIZE);
	int other = temp_file(0);

	memset(buf, 'o', DEPTH * TAKE_SIZE);
	check_equal(pwrite(other, buf, DEPTH * TAKE_SIZE, 0), DEPTH * TAKE_SIZE);
	for (int i = 0; i < 40; i++) {
		take_from_writes(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
		take_from_reads(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
	}
}

static int take_by_close(void)
{
	take_numbers(by_close);
	return 0;
}

static int take_by_dup2(void)
{
	take_numbers(by_dup2);
	return 0;
}

TEST_BESIDE(test_deep_requests_survive_close, take_by_close, 30000)
TEST_BESIDE(test_deep_requests_survive_dup2, take_by_dup2, 30000)

/* A long write, and an fsync, that have just begun. */
static int take_from_lone(void)
{
	char *buf = direct_buffer(LONG_SIZE), *data = direct_buffer(LONG_SIZE);
	int other = temp_file(0);
	struct aiocb cb;

	memset(data, 'o', LONG_SIZE);
	check_equal(pwrite(other, data, LONG_SIZE, 0), LONG_SIZE);
	memset(data, 'w', LONG_SIZE);
	for (int i = 0; i < 60; i++) {
		int fd = temp_file(0), kept = reopen(fd, O_RDWR);
		ssize_t res;

		check_equal(pwrite(fd, data, LONG_SIZE, 0), LONG_SIZE);
		if (i % 3 == 0)
			submit_write(&cb, fd, data, LONG_SIZE, LONG_SIZE);
		else if (i % 3 == 1)
			submit_read(&cb, fd, buf, LONG_SIZE, 0);
		else
			aiocb_init(&cb, fd, NULL, 0, 0);
		if (i % 3 == 2)
			check_equal(aio_fsync(O_DSYNC, &cb), 0);
		(i % 2 ? by_close : by_dup2)(fd, other);
		res = outcome(&cb);
		if (res != -ECANCELED)
			check_equal(res, i % 3 == 2 ? 0 : LONG_SIZE);
		if (res == LONG_SIZE && i % 3 == 0)
			check_file_is(kept, 'w', LONG_SIZE, LONG_SIZE);
		if (res == LONG_SIZE && i % 3 == 1)
			check_memory(buf, data, LONG_SIZE);
		check_file_is(other, 'o', 0, LONG_SIZE);
		close(fd);
		close(kept);
	}
	return 0;
}

TEST_BESIDE(test_lone_requests_survive_the_close_of_their_number, take_from_lone, 30000)

/* ---- a copy that does not come to its end ---- */

#define NR_BEHIND 4

/* Whoever copies to @page waits until it is let go; a read, since a write would lock its file. */
struct stall {
	struct aiocb first, behind[NR_BEHIND];
	int faults;
	char *page, *buf, *found;
	int fd, other;
};

static bool stall_open(struct stall *stall)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	stall->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (stall->faults < 0)
		return false;
	stall->page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(stall->page != MAP_FAILED);
	range.range.start = (uintptr_t)stall->page;
	range.range.len = BLOCK;
	return ioctl(stall->faults, UFFDIO_API, &api) == 0 &&
	       ioctl(stall->faults, UFFDIO_REGISTER, &range) == 0;
}

static void stall_let_go(struct stall *stall)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)stall->page,
		.src = (uintptr_t)stall->buf,
		.len = BLOCK,
	};

	check_equal(ioctl(stall->faults, UFFDIO_COPY, &copy), 0);
}

static void stall_close(struct stall *stall)
{
	munmap(stall->page, BLOCK);
	close(stall->faults);
}

/* Not in the thread that submitted the first: its call may be what waits. */
static void *take_behind_first(void *arg)
{
	struct stall *stall = arg;
	struct uffd_msg message;

	eventually(read(stall->faults, &message, sizeof(message)) == sizeof(message));
	for (int i = 0; i < NR_BEHIND; i++)
		submit_write(&stall->behind[i], stall->fd, stall->buf, BLOCK, (i + 1) * BLOCK);
	/* No library sees this. */
	eventually(nobody_else_runs());
	check_equal(syscall(SYS_dup3, stall->other, stall->fd, 0), stall->fd);
	stall_let_go(stall);
	return NULL;
}

static void check_written(struct aiocb *cb, int kept, off_t offset)
{
	if (was_done(cb, BLOCK))
		check_file_is(kept, 'w', offset, BLOCK);
}

static int take_unseen(void)
{
	static struct stall stall;
	int kept;

	stall.buf = direct_buffer(BLOCK);
	stall.found = direct_buffer(BLOCK);
	stall.other = memory_file();
	memset(stall.buf, 'o', BLOCK);
	for (int i = 0; i <= NR_BEHIND; i++)
		check_equal(pwrite(stall.other, stall.buf, BLOCK, i * BLOCK), BLOCK);
	memset(stall.buf, 'w', BLOCK);
	for (int round = 0; round < 20; round++) {
		pthread_t thread;

		stall.fd = memory_file();
		kept = reopen(stall.fd, O_RDWR);
		run_deep_on(stall.fd);
		if (!stall_open(&stall)) {
			printf("no userfaultfd for accesses by the kernel");
			return CHILD_SKIPPED;
		}
		thread = start_thread(take_behind_first, &stall);
		submit_read(&stall.first, stall.fd, stall.page, BLOCK, 0);
		join_thread(thread);
		check_equal(outcome(&stall.first), BLOCK);
		check_equal(pread(kept, stall.found, BLOCK, 0), BLOCK);
		check_memory(stall.page, stall.found, BLOCK);
		for (int i = 0; i < NR_BEHIND; i++)
			check_written(&stall.behind[i], kept, (i + 1) * BLOCK);
		check_file_is(stall.other, 'o', 0, (NR_BEHIND + 1) * BLOCK);
		stall_close(&stall);
		close(stall.fd);
		close(kept);
	}
	return 0;
}

TEST_BESIDE(test_copies_survive_a_close_that_nobody_sees, take_unseen, 20000)

/* ---- fork ---- */

static struct work forked_work;

static void use_deep(int fd)
{
	struct work work;
	unsigned int seed = 3;

	work_open_filled(&work, fd, 0, 64 * BLOCK, 2 * BLOCK, DEPTH);
	for (int i = 0; i < 500; i++)
		work_do_any(&work, 64, &seed);
	work_close(&work);
}

/* The parent goes on in the middle of its requests; the child is given a function. */
static void fork_amid_deep(void (*in_child_of_fork)(void), int nr_children)
{
	int fd = temp_file(0);

	/* So that the parent has threads that are idle, too. */
	use_aio_briefly();
	work_open_filled(&forked_work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	for (int round = 0; round < nr_children; round++) {
		pid_t pid;

		for (size_t i = 0; i < 200; i++) {
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
			work_read(&forked_work, (i * 2 + 1) * BLOCK, BLOCK);
		}
		pid = fork();
		if (pid == 0) {
			in_child_of_fork();
			_exit(0);
		}
		for (size_t i = 0; i < 100; i++)
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
		work_check(&forked_work);
		check_child(pid);
	}
	work_close(&forked_work);
}

static void do_nothing(void)
{
}

static void use_aio_in_child(void)
{
	use_deep(temp_file(0));
	use_aio();
}

static int fork_without_use(void)
{
	fork_amid_deep(do_nothing, 20);
	return 0;
}

static int fork_with_use(void)
{
	fork_amid_deep(use_aio_in_child, 10);
	return 0;
}

TEST_BESIDE(test_deep_requests_survive_fork, fork_without_use, 20000)
TEST_BESIDE(test_child_of_fork_amid_deep_requests_is_deep_anew, fork_with_use, 20000)

/* ---- threads ---- */

#define NR_THREADS 4
#define PART_SIZE  (64 * BLOCK)

struct share {
	pthread_t thread;
	int shared_fd, number;
};

/* Each has a file of its own and a part of one that they share. */
static void *be_deep(void *arg)
{
	struct share *share = arg;
	unsigned int seed = (unsigned int)share->number;
	struct work own, shared;
	int fd = temp_file(0);

	work_open_filled(&own, fd, 0, PART_SIZE, 2 * BLOCK, DEPTH);
	work_open_filled(&shared, share->shared_fd, (off_t)share->number * PART_SIZE, PART_SIZE,
			 2 * BLOCK, DEPTH);
	for (int i = 0; i < 2000; i++) {
		work_do_any(&own, PART_SIZE / BLOCK, &seed);
		work_do_any(&shared, PART_SIZE / BLOCK, &seed);
		if (i % 500 == 499)
			work_check(&shared);
	}
	work_close(&own);
	work_close(&shared);
	close(fd);
	return NULL;
}

static int run_threads(void)
{
	struct share shares[NR_THREADS];
	int fd = temp_file(0);

	for (int i = 0; i < NR_THREADS; i++) {
		shares[i].shared_fd = fd;
		shares[i].number = i;
		shares[i].thread = start_thread(be_deep, &shares[i]);
	}
	for (int i = 0; i < NR_THREADS; i++)
		join_thread(shares[i].thread);
	return 0;
}

TEST_BESIDE(test_deep_threads_do_not_disturb_each_other, run_threads, 30000)

/* Submitted by one thread, waited for and collected by another. */
struct relay {
	struct aiocb cbs[DEPTH];
	char *buf;
	int fd;
	sem_t free, full;
};

#define NR_RELAYED 3000

static void *collect_relayed(void *arg)
{
	struct relay *relay = arg;

	for (int i = 0; i < NR_RELAYED; i++) {
		await_semaphore(&relay->full);
		check_equal(outcome(&relay->cbs[i % DEPTH]), BLOCK);
		check_pattern(relay->buf + i % DEPTH * BLOCK, (size_t)(i % 64) * BLOCK, BLOCK);
		sem_post(&relay->free);
	}
	return NULL;
}

static int relay_deep(void)
{
	static struct relay relay;
	pthread_t thread;

	relay.fd = temp_file_filled(64 * BLOCK);
	relay.buf = direct_buffer(DEPTH * BLOCK);
	sem_init(&relay.free, 0, DEPTH);
	sem_init(&relay.full, 0, 0);
	thread = start_thread(collect_relayed, &relay);
	for (int i = 0; i < NR_RELAYED; i++) {
		char *place = relay.buf + i % DEPTH * BLOCK;

		await_semaphore(&relay.free);
		memset(place, 0, BLOCK);
		submit_read(&relay.cbs[i % DEPTH], relay.fd, place, BLOCK, i % 64 * BLOCK);
		sem_post(&relay.full);
	}
	join_thread(thread);
	return 0;
}

TEST_BESIDE(test_deep_requests_may_be_collected_by_another_thread, relay_deep, 30000)

/* ---- handlers ---- */

#define NR_HANDLED 500
#define STORM_SIZE (64 * BLOCK)

static volatile sig_atomic_t nr_handled;
static int storm_fd;
static char *storm_buf;

/* Rings once: the program moves on between two signals however slow the machine is. */
static void wind_timer(int usec)
{
	struct itimerval timer = { .it_value = { 0, usec } };

	check_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* On a block of its own, but for the fsync, which waits for what was submitted before. */
static void use_in_handler(int signo)
{
	static struct aiocb cb;
	int error = errno, value = nr_handled / 3 % 100 + 1;

	(void)signo;
	if (nr_handled % 3 == 0) {
		memset(storm_buf, value, BLOCK);
		submit_write(&cb, storm_fd, storm_buf, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
	} else if (nr_handled % 3 == 1) {
		submit_read(&cb, storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
		check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	} else {
		aiocb_init(&cb, storm_fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
	}
	nr_handled = nr_handled + 1;
	if (nr_handled < NR_HANDLED)
		wind_timer(50);
	errno = error;
}

static int be_deep_in_storm(void)
{
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;
	struct work work;

	storm_fd = memory_file();
	storm_buf = direct_buffer(2 * BLOCK);
	work_open_filled(&work, storm_fd, 0, STORM_SIZE, BLOCK, DEPTH);
	handle_signal(SIGALRM, use_in_handler, SA_RESTART);
	wind_timer(50);
	for (size_t i = 0; nr_handled < NR_HANDLED; i++) {
		work_transfer(&work, i % 2 == 0, i % 64 * BLOCK, BLOCK);
		check(now_ns() < until);
	}
	work_close(&work);
	check_equal(pread(storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE), BLOCK);
	check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	return 0;
}

TEST_BESIDE(test_handler_may_use_aio_amid_deep_submissions, be_deep_in_storm, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_requests_survive_close),
		cmocka_unit_test(test_deep_requests_survive_dup2),
		cmocka_unit_test(test_lone_requests_survive_the_close_of_their_number),
		cmocka_unit_test(test_copies_survive_a_close_that_nobody_sees),
		cmocka_unit_test(test_deep_requests_survive_fork),
		cmocka_unit_test(test_child_of_fork_amid_deep_requests_is_deep_anew),
		cmocka_unit_test(test_deep_threads_do_not_disturb_each_other),
		cmocka_unit_test(test_deep_requests_may_be_collected_by_another_thread),
		cmocka_unit_test(test_handler_may_use_aio_amid_deep_submissions),
	};

	return cmocka_run_group_tests_name("beside_life", tests, NULL, NULL);
}
