// SPDX-License-Identifier: MIT
/*
 * test_one_call.c - a request on a file is one system call, as others see it
 *
 * The kernel has calls that do not wait.  They may do a part, or nothing at all, or
 * refuse, where a plain call does everything.  Who continues such a part later makes
 * two calls of one: an appended record is torn, and half a write can be seen.
 *
 * A seccomp filter plays the kernels and file systems that answer so.  Nothing is
 * filtered where a plain call is made at once.
 */
#include "frozen.h"
#include "registers.h"
#include "transparency.h"

#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE   4096
#define SIZE   (16 * PAGE)
#define HALF   (SIZE / 2)
#define SHORT  16
#define OURS   0x6f757273u /* sixth argument of io_submit, which has three */
#define NR     100
#define ROUNDS 1000

/* ---- calls that are answered in place of the kernel ---- */

/* The lower half of an argument in seccomp_data. */
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define UNLESS(what, value, skip)                   \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (what)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (skip))

static void install(struct sock_filter *filter, size_t len)
{
	struct sock_fprog program = { .filter = filter, .len = (unsigned short)len };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* A call that does not wait, on @fd at @offset, ends as @answer says. */
static void answer_nowait(long call, int fd, off_t offset, uint32_t answer)
{
	struct sock_filter filter[] = {
		UNLESS(offsetof(struct seccomp_data, nr), call, 7),
		UNLESS(ARGUMENT(0), fd, 5),
		UNLESS(ARGUMENT(3), offset, 3),
		UNLESS(ARGUMENT(5), RWF_NOWAIT, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(*filter));
}

typedef long play_fn(const ucontext_t *context);

static play_fn *play;
static volatile int nr_played;

static void on_trapped(int signo, siginfo_t *info, void *context_)
{
	ucontext_t *context = context_;
	long res = play(context);

	(void)signo;
	(void)info;
	nr_played++;
	set_call_result(context, res);
}

static void play_by(play_fn *function)
{
	struct sigaction action = { .sa_sigaction = on_trapped, .sa_flags = SA_SIGINFO };

	play = function;
	check_equal(sigaction(SIGSYS, &action, NULL), 0);
}

/* ---- a file on a disk, and another process's descriptor of it ---- */

static int fd, others;
static char buf[SIZE];

static bool make_file(size_t size, int flags)
{
	fd = direct_file(size, 0);
	if (fd < 0) {
		printf("no file here that the page cache can lose");
		return false;
	}
	others = reopen(fd, O_RDWR);
	check_equal(fcntl(fd, F_SETFL, flags), 0);
	return true;
}

static ssize_t write_all(const void *what, size_t size, off_t offset)
{
	struct aiocb cb;

	submit_write(&cb, fd, what, size, offset);
	return outcome(&cb);
}

static void check_is_all(const char *what, char value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		check_equal(what[i], value);
}

/* ---- writes ---- */

/* Half of it, and then another process appends a line. */
static long append_half(const ucontext_t *context)
{
	(void)context;
	check_equal(write(fd, buf, HALF), HALF);
	check_equal(pwrite(others, "\n", 1, HALF), 1);
	return HALF;
}

static int append_record(void)
{
	if (!make_file(0, O_APPEND))
		return CHILD_SKIPPED;
	memset(buf, 'r', SIZE);
	play_by(append_half);
	answer_nowait(SYS_pwritev2, fd, 0, SECCOMP_RET_TRAP);
	check_equal(write_all(buf, SIZE, 0), SIZE);
	check_equal(pread(others, buf, SIZE, 0), SIZE);
	check_is_all(buf, 'r', SIZE);
	return 0;
}

TEST_OR_SKIP(test_appended_record_is_not_torn, append_record, 20000)

/* Half of it, which another process can read. */
static long write_half(const ucontext_t *context)
{
	(void)context;
	check_equal(pwrite(fd, buf, HALF, 0), HALF);
	return HALF;
}

static int write_pages(void)
{
	if (!make_file(SIZE, 0))
		return CHILD_SKIPPED;
	memset(buf, 'w', SIZE);
	play_by(write_half);
	answer_nowait(SYS_pwritev2, fd, 0, SECCOMP_RET_TRAP);
	check_equal(write_all(buf, SIZE, 0), SIZE);
	check_equal(nr_played, 0);
	return 0;
}

TEST_OR_SKIP(test_write_of_several_pages_is_not_seen_half_done, write_pages, 20000)

static long write_some(const ucontext_t *context)
{
	(void)context;
	return pwrite(fd, buf, SHORT / 2, 0);
}

/* All of it is written, or the call fails and nothing is. */
static int write_without_threads(size_t size)
{
	struct aiocb cb;

	if (!make_file(SIZE, 0))
		return CHILD_SKIPPED;
	become_nobody();
	set_soft_limit(RLIMIT_NPROC, 1);
	memset(buf, 'w', SIZE);
	play_by(write_some);
	answer_nowait(SYS_pwritev2, fd, 0, SECCOMP_RET_TRAP);
	aiocb_init(&cb, fd, buf, size, 0);
	if (aio_write(&cb) == 0) {
		check_equal(outcome(&cb), size);
		check_equal(pread(others, buf, size, 0), size);
		check_is_all(buf, 'w', size);
	} else {
		check_equal(errno, EAGAIN);
		check_equal(pread(others, buf, size, 0), size);
		check_pattern(buf, 0, size);
	}
	return 0;
}

static int write_bytes_without_threads(void)
{
	return write_without_threads(SHORT);
}

static int write_pages_without_threads(void)
{
	return write_without_threads(SIZE);
}

TEST_OR_SKIP(test_refused_write_of_some_bytes_wrote_nothing, write_bytes_without_threads, 20000)
TEST_OR_SKIP(test_refused_write_of_several_pages_wrote_nothing, write_pages_without_threads, 20000)

/* ---- reads ---- */

static const char *new_pages(void)
{
	static char all[SIZE];

	memset(all, 'n', SIZE);
	return all;
}

/* Half of it, and then another process writes all. */
static long read_half(const ucontext_t *context)
{
	(void)context;
	check_equal(pread(fd, buf, HALF, 0), HALF);
	check_equal(pwrite(others, new_pages(), SIZE, 0), SIZE);
	return HALF;
}

static int read_pages(void)
{
	if (!make_file(SIZE, 0))
		return CHILD_SKIPPED;
	memset(buf, 'o', SIZE);
	check_equal(pwrite(fd, buf, SIZE, 0), SIZE);
	play_by(read_half);
	answer_nowait(SYS_preadv2, fd, 0, SECCOMP_RET_TRAP);
	check_equal(read_now(fd, buf, SIZE, 0), SIZE);
	check_is_all(buf, buf[0], SIZE);
	return 0;
}

TEST_OR_SKIP(test_read_of_several_pages_is_not_torn_by_a_write, read_pages, 20000)

/* Linux 5.9 and 5.10: nothing, at a page that starts a read-ahead. */
static int read_nothing(void)
{
	if (!make_file(SIZE, 0))
		return CHILD_SKIPPED;
	answer_nowait(SYS_preadv2, fd, 0, SECCOMP_RET_ERRNO | 0);
	answer_nowait(SYS_preadv2, fd, HALF, SECCOMP_RET_ERRNO | 0);
	check_equal(read_now(fd, buf, PAGE, 0), PAGE);
	check_pattern(buf, 0, PAGE);
	check_equal(read_now(fd, buf, SIZE, HALF), HALF);
	check_pattern(buf, HALF, HALF);
	return 0;
}

TEST_OR_SKIP(test_read_of_nothing_is_not_the_end_of_the_file, read_nothing, 20000)

/* Its size is not where that of a file is. */
static int read_nothing_of_device(void)
{
	char image[PATH_MAX], device[32];
	int loop;

	if (!make_file(SIZE, 0))
		return CHILD_SKIPPED;
	snprintf(image, sizeof(image), "/proc/self/fd/%d", fd);
	loop = geteuid() == 0 ? frozen_attach(image, device) : -1;
	if (loop < 0) {
		printf("no loop device: needs root, and the module loop");
		return CHILD_SKIPPED;
	}
	answer_nowait(SYS_preadv2, loop, 0, SECCOMP_RET_ERRNO | 0);
	check_equal(read_now(loop, buf, PAGE, 0), PAGE);
	check_pattern(buf, 0, PAGE);
	check_equal(read_now(loop, buf, SIZE, HALF), HALF);
	check_equal(read_now(loop, buf, SIZE, SIZE), 0);
	return 0;
}

TEST_OR_SKIP(test_read_of_nothing_is_not_the_end_of_a_device, read_nothing_of_device, 20000)

/*
 * On xfs a read keeps writers out.  One that finds its first half in memory waits for the
 * disk, and meanwhile, sooner or later, another process writes all.
 */
static void read_and_write(int round)
{
	uint64_t until;
	struct aiocb cb;

	memset(buf, 'o', SIZE);
	/* One by one: the page cache drops only what was written in one piece. */
	check_equal(pwrite(others, buf, HALF, 0), HALF);
	check_equal(pwrite(others, buf, HALF, HALF), HALF);
	check_equal(fdatasync(others), 0);
	check_equal(posix_fadvise(others, HALF, HALF, POSIX_FADV_DONTNEED), 0);
	submit_read(&cb, fd, buf, SIZE, 0);
	until = now_ns() + (uint64_t)(round % 100) * 1000;
	while (now_ns() < until)
		continue;
	check_equal(pwrite(others, new_pages(), SIZE, 0), SIZE);
	check_equal(outcome(&cb), SIZE);
	check_is_all(buf, buf[0], SIZE);
}

static int read_from_disk(void)
{
	if (!frozen_start_as("xfs", NULL))
		return CHILD_SKIPPED;
	fd = frozen_file(0);
	others = reopen(fd, O_RDWR);
	for (int i = 0; i < ROUNDS; i++)
		read_and_write(i);
	return 0;
}

TEST_OR_SKIP(test_read_that_waits_for_the_disk_is_not_torn_by_a_write, read_from_disk, 60000)

/* ---- Linux AIO ---- */

static int nr_nowait;

static void count_nowait(struct iocb **list, long nr)
{
	for (long i = 0; i < nr; i++)
		nr_nowait += list[i]->aio_lio_opcode == IOCB_CMD_PWRITE &&
			     list[i]->aio_rw_flags & RWF_NOWAIT;
}

/*
 * Writes that do not wait are refused by their events: ext4 answers so where the file is not
 * in direct mode.
 */
static long submit_buffered(const ucontext_t *context)
{
	long context_id = call_argument(context, 0), nr = call_argument(context, 1);
	long list = call_argument(context, 2), res;

	count_nowait((struct iocb **)list, nr);
	check_equal(fcntl(fd, F_SETFL, 0), 0);
	res = syscall(SYS_io_submit, context_id, nr, list, 0L, 0L, (long)OURS);
	check_equal(fcntl(fd, F_SETFL, O_DIRECT), 0);
	return res < 0 ? -errno : res;
}

static int write_refused_by_event(void)
{
	struct sock_filter filter[] = {
		UNLESS(offsetof(struct seccomp_data, nr), SYS_io_submit, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(5)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	char *block = direct_buffer(PAGE);

	if (!make_file(SIZE, O_DIRECT))
		return CHILD_SKIPPED;
	play_by(submit_buffered);
	install(filter, sizeof(filter) / sizeof(*filter));
	for (int i = 0; i < NR; i++) {
		memset(block, 'a' + i % 26, PAGE);
		check_equal(write_all(block, PAGE, i % 4 * PAGE), PAGE);
		check_equal(pread(others, buf, PAGE, i % 4 * PAGE), PAGE);
		check_is_all(buf, (char)('a' + i % 26), PAGE);
	}
	/* Once is enough to know it. */
	check(nr_nowait <= 1);
	return 0;
}

TEST_OR_SKIP(test_write_that_its_event_refuses_is_made, write_refused_by_event, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appended_record_is_not_torn),
		cmocka_unit_test(test_write_of_several_pages_is_not_seen_half_done),
		cmocka_unit_test(test_refused_write_of_some_bytes_wrote_nothing),
		cmocka_unit_test(test_refused_write_of_several_pages_wrote_nothing),
		cmocka_unit_test(test_read_of_several_pages_is_not_torn_by_a_write),
		cmocka_unit_test(test_read_of_nothing_is_not_the_end_of_the_file),
		cmocka_unit_test(test_read_of_nothing_is_not_the_end_of_a_device),
		cmocka_unit_test(test_read_that_waits_for_the_disk_is_not_torn_by_a_write),
		cmocka_unit_test(test_write_that_its_event_refuses_is_made),
	};

	return cmocka_run_group_tests_name("one_call", tests, NULL, NULL);
}
