// SPDX-License-Identifier: MIT
/*
 * test_replaced.c - the program takes every descriptor that it finds open
 *
 * A program may close a descriptor that it did not open itself, and use it again.  The
 * file there is then the program's: nobody else uses it or closes it, and AIO goes on, as
 * fast as before.  Each test runs with the rings of older kernels, too, which need descriptors.
 */
#include "gate.h"
#include "transparency.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define NR_NUMBERS 2000
#define NR_READS   8
#define SIZE       4096
#define NR_ROUNDS  20
#define ROUND_NS   25000000 /* far more than a read takes, and less than any timeout */

static bool was_open[NR_NUMBERS], is_foreign[NR_NUMBERS]; /* by the program, or not */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void note_open(void)
{
	for (int fd = 0; fd < NR_NUMBERS; fd++)
		was_open[fd] = is_open(fd);
}

static void note_foreign(void)
{
	for (int fd = 0; fd < NR_NUMBERS; fd++)
		is_foreign[fd] = is_open(fd) && !was_open[fd];
}

/* Use AIO so that whatever it opens is open, and takes its time before it leaves. */
static void find_foreign(int fds[2])
{
	struct aiocb cb;
	char byte;

	note_open();
	submit_read(&cb, fds[0], &byte, 1, 0);
	eventually(others_are_asleep());
	note_foreign();
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
}

/* Put @fd there in their place. */
static void replace_foreign(int fd)
{
	for (int number = 0; number < NR_NUMBERS; number++)
		if (is_foreign[number])
			check_equal(dup2(fd, number), number);
}

/* A read that has to wait until somebody writes. */
static uint64_t read_blocked(int fds[2])
{
	uint64_t start;
	struct aiocb cb;
	char byte;

	submit_read(&cb, fds[0], &byte, 1, 0);
	start = now_ns();
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	return now_ns() - start;
}

/* Its helpers leave as soon as they have nothing to do. */
static void end_aio(void)
{
	struct aioinit init = { .aio_idle_time = -1 };

	aio_init(&init);
	use_aio_briefly();
	eventually(nr_threads() == 1);
}

static void check_still_there(int file)
{
	struct stat st, ours;

	check_equal(fstat(file, &ours), 0);
	for (int fd = 0; fd < NR_NUMBERS; fd++) {
		if (!is_foreign[fd])
			continue;
		if (fstat(fd, &st) < 0)
			check_failed("somebody closed %d", fd);
		check_equal(st.st_ino, ours.st_ino);
	}
}

static int files_stay_open(void)
{
	int fds[2], file = temp_file_filled(4096);

	open_pipe(fds);
	find_foreign(fds);
	replace_foreign(file);
	for (int i = 0; i < NR_ROUNDS; i++)
		read_blocked(fds);
	end_aio();
	check_still_there(file);
	use_aio();
	return 0;
}

/* Reads that wait when their descriptor is closed: of the file it meant, or of none. */
static int files_of_closed_descriptors(void)
{
	int file = temp_file_filled(4096), fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char *source = direct_buffer(SIZE);
	struct aiocb cbs[NR_READS];
	struct gate gate;
	ssize_t res;

	if (!gate_make(&gate, NR_READS * SIZE))
		return CHILD_SKIPPED;
	note_open();
	memset(source, 's', SIZE);
	for (int i = 0; i < NR_READS; i++)
		submit_read(&cbs[i], fd, gate.memory + i * SIZE, SIZE, (off_t)source);
	gate_await(&gate);
	check_equal(close(fd), 0);
	note_foreign();
	replace_foreign(file);
	gate_open(&gate, 'g');
	for (int i = 0; i < NR_READS; i++) {
		res = outcome(&cbs[i]);
		check(res == SIZE || res == -ECANCELED || res == -EBADF);
		if (res == SIZE)
			check_memory(gate.memory + i * SIZE, source, SIZE);
	}
	end_aio();
	check_still_there(file);
	return 0;
}

/* On a file system of its own, so that the first file of each has the same inode number. */
static int file_on_new_tmpfs(int value)
{
	char dir[PATH_MAX], path[PATH_MAX + 8];
	char *data = direct_buffer(NR_READS * SIZE);
	int fd = -1;

	snprintf(dir, sizeof(dir), "%s/tmpfs.%d", temp_dir(), (int)getpid());
	snprintf(path, sizeof(path), "%s/file", dir);
	check_equal(mkdir(dir, 0700), 0);
	if (mount("rtaio-test", dir, "tmpfs", MS_NOSUID | MS_NODEV, NULL) == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		check_equal(umount2(dir, MNT_DETACH), 0);
		memset(data, value, NR_READS * SIZE);
		write_fully(fd, data, NR_READS * SIZE);
	}
	check_equal(rmdir(dir), 0);
	free(data);
	return fd;
}

static bool have_one_inode_number(int file, int other)
{
	struct stat st, st_other;

	return fstat(file, &st) == 0 && fstat(other, &st_other) == 0 &&
	       st.st_ino == st_other.st_ino && st.st_dev != st_other.st_dev;
}

static int files_with_one_inode_number(void)
{
	int fd = file_on_new_tmpfs('1'), other = file_on_new_tmpfs('2');
	struct aiocb cbs[NR_READS];
	struct gate gate;
	ssize_t res;

	/*
	 * Read at the first use of AIO: a read of memory that is not there would wait in the call.
	 */
	setenv("RTAIO_INLINE", "0", 1);
	setenv("RTAIO_OFFLOAD", "0", 1);
	if (!have_one_inode_number(fd, other)) {
		printf("no two file systems that count alike can be mounted");
		return CHILD_SKIPPED;
	}
	if (!gate_make(&gate, NR_READS * SIZE))
		return CHILD_SKIPPED;
	note_open();
	for (int i = 0; i < NR_READS; i++)
		submit_read(&cbs[i], fd, gate.memory + i * SIZE, SIZE, i * SIZE);
	gate_await(&gate);
	check_equal(close(fd), 0);
	note_foreign();
	replace_foreign(other);
	gate_open(&gate, 'g');
	for (int i = 0; i < NR_READS; i++) {
		res = outcome(&cbs[i]);
		check(res == SIZE || res == -ECANCELED || res == -EBADF);
		for (int j = 0; res == SIZE && j < SIZE; j++)
			check_equal(gate.memory[i * SIZE + j], '1');
	}
	end_aio();
	check_still_there(other);
	return 0;
}

static int reads_stay_fast(void)
{
	uint64_t ns, best = UINT64_MAX;
	int fds[2];

	open_pipe(fds);
	find_foreign(fds);
	for (int fd = 0; fd < NR_NUMBERS; fd++)
		if (is_foreign[fd])
			close(fd);
	read_blocked(fds); /* a sleeper may find out late, once */
	for (int i = 0; i < NR_ROUNDS; i++) {
		ns = read_blocked(fds);
		if (ns < best)
			best = ns;
	}
	if (best > stretched_ns(ROUND_NS))
		check_failed("the fastest of %d reads took %d us", NR_ROUNDS, (int)(best / 1000));
	return 0;
}

static int timers_are_left_alone(void)
{
	const struct itimerspec hour = { .it_value = { .tv_sec = 3600 } };
	int fds[2], timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec left;

	check(timer >= 0);
	check_equal(timerfd_settime(timer, 0, &hour, NULL), 0);
	open_pipe(fds);
	find_foreign(fds);
	replace_foreign(timer);
	for (int i = 0; i < NR_ROUNDS; i++)
		read_blocked(fds);
	check_equal(timerfd_gettime(timer, &left), 0);
	check(left.it_value.tv_sec > 3000);
	return 0;
}

/* A ring of the program's own, with one operation that it has not handed over yet; or -1. */
static int prepared_ring(_Atomic unsigned **head)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(__NR_io_uring_setup, 4, &params);
	struct io_uring_sqe *sqes;
	char *ring;

	if (fd < 0)
		return -1;
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    IORING_OFF_SQES);
	ring = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned),
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	check(sqes != MAP_FAILED && ring != MAP_FAILED);
	sqes[0].opcode = IORING_OP_NOP;
	((unsigned *)(ring + params.sq_off.array))[0] = 0;
	*head = (_Atomic unsigned *)(ring + params.sq_off.head);
	atomic_store((_Atomic unsigned *)(ring + params.sq_off.tail), 1);
	return fd;
}

static int rings_are_left_alone(void)
{
	_Atomic unsigned *head = NULL;
	int fds[2], ring;

	open_pipe(fds);
	find_foreign(fds);
	ring = prepared_ring(&head);
	if (ring < 0) {
		printf("the kernel refuses io_uring\n");
		return CHILD_SKIPPED;
	}
	replace_foreign(ring);
	for (int i = 0; i < NR_ROUNDS; i++)
		use_aio();
	check_equal(atomic_load(head), 0);
	return 0;
}

TEST_WITH_RINGS(test_files_in_place_of_descriptors_stay_open, files_stay_open, 30000)
TEST_WITH_RINGS(test_files_of_closed_descriptors_are_not_mistaken, files_of_closed_descriptors,
		30000)
TEST_OR_SKIP(test_file_with_the_same_inode_number_is_not_mistaken, files_with_one_inode_number,
	     30000)
TEST_WITH_RINGS(test_reads_are_as_fast_when_descriptors_were_closed, reads_stay_fast, 30000)
TEST_WITH_RINGS(test_timers_in_place_of_descriptors_are_left_alone, timers_are_left_alone, 30000)
TEST_WITH_RINGS(test_rings_in_place_of_descriptors_are_left_alone, rings_are_left_alone, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_in_place_of_descriptors_stay_open),
		cmocka_unit_test(test_files_of_closed_descriptors_are_not_mistaken),
		cmocka_unit_test(test_file_with_the_same_inode_number_is_not_mistaken),
		cmocka_unit_test(test_reads_are_as_fast_when_descriptors_were_closed),
		cmocka_unit_test(test_timers_in_place_of_descriptors_are_left_alone),
		cmocka_unit_test(test_rings_in_place_of_descriptors_are_left_alone),
	};

	return cmocka_run_group_tests_name("replaced", tests, NULL, NULL);
}
