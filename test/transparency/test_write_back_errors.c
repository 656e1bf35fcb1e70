// SPDX-License-Identifier: MIT
/*
 * test_write_back_errors.c - a write or a sync fails when the kernel writes back
 *
 * The kernel reports such an error once for each open file.  If several requests of a descriptor
 * write back at the same time, one may take the error of another.
 */
#include "frozen.h"
#include "held_calls.h"
#include "offload.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE       ((off_t)page_size()) /* what fails together */
#define PAGE_MAX   65536
#define NR_WRITES  8
#define DISK_PAGES 64
#define HOLE       37 /* this page cannot be written */
#define NR_ROUNDS  25

static struct aiocb cbs[NR_WRITES], sync_cb;
static char buf[PAGE_MAX];

/*
 * ---- a disk that fails: a loop device, whose image has a hole in a file system without room ----
 */

static void make_image(int dir)
{
	int image = openat(dir, "image", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int rest = openat(dir, "rest", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	check(image >= 0 && rest >= 0);
	check_equal(ftruncate(image, DISK_PAGES * PAGE), 0);
	for (off_t i = 0; i < DISK_PAGES; i++)
		if (i != HOLE)
			check_equal(pwrite(image, buf, PAGE, i * PAGE), PAGE);
	while (write(rest, buf, PAGE) > 0)
		continue;
	check_equal(errno, ENOSPC);
	close(image);
	close(rest);
}

/* The file system has no name when this returns, so that nothing stays behind.  -1: none. */
static int mount_small(void)
{
	char dir[PATH_MAX];
	int fd = -1;

	snprintf(dir, sizeof(dir), "%s/small.%d", temp_dir(), (int)getpid());
	check_equal(mkdir(dir, 0700), 0);
	if (mount("none", dir, "tmpfs", 0, "size=8m") == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check_equal(umount2(dir, MNT_DETACH), 0);
	}
	check_equal(rmdir(dir), 0);
	return fd;
}

/* Set the name of the disk, and open it.  -1: there is none, and the reason is printed. */
static int make_disk(char device[32])
{
	char image[64];
	int dir = geteuid() == 0 ? mount_small() : -1, fd = -1;

	if (dir >= 0) {
		make_image(dir);
		snprintf(image, sizeof(image), "/proc/self/fd/%d/image", dir);
		fd = frozen_attach(image, device);
		close(dir);
	}
	if (fd < 0)
		printf("no disk that fails can be made: needs root and loop devices");
	return fd;
}

/* The write of this number goes to the hole. */
static void submit_writes(int fd, int bad)
{
	for (int i = 0; i < NR_WRITES; i++)
		submit_write(&cbs[i], fd, buf, PAGE, (HOLE + (i - bad) * 2) * PAGE);
}

/* -1: none goes to the hole. */
static void check_writes(int bad)
{
	for (int i = 0; i < NR_WRITES; i++)
		check_equal(outcome(&cbs[i]) < 0, i == bad);
}

static int write_with(int flags)
{
	char device[32];
	int loop = make_disk(device), fd;

	if (loop < 0)
		return CHILD_SKIPPED;
	fd = open(device, O_RDWR | O_CLOEXEC | flags);
	check(fd >= 0);
	for (int round = 0; round < NR_ROUNDS; round++) {
		submit_writes(fd, round % NR_WRITES);
		check_writes(round % NR_WRITES);
	}
	return 0;
}

static int write_dsync(void)
{
	return write_with(O_DSYNC);
}

static int write_sync(void)
{
	return write_with(O_SYNC);
}

/* What another one has written is lost.  The sync is the first to write it back. */
static int sync_beside_writes(void)
{
	char device[32];
	int loop = make_disk(device), fd;

	if (loop < 0)
		return CHILD_SKIPPED;
	fd = open(device, O_RDWR | O_CLOEXEC | O_DSYNC);
	check(fd >= 0);
	for (int round = 0; round < NR_ROUNDS; round++) {
		check_equal(pwrite(loop, buf, PAGE, HOLE * PAGE), PAGE);
		aiocb_init(&sync_cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &sync_cb), 0);
		submit_writes(fd, HOLE / 2); /* they go to the first pages */
		check(outcome(&sync_cb) < 0);
		check_writes(-1);
	}
	return 0;
}

TEST_OR_SKIP(test_error_of_a_dsync_write_is_its_own, write_dsync, 20000)
TEST_OR_SKIP(test_error_of_a_sync_write_is_its_own, write_sync, 20000)
TEST_OR_SKIP(test_later_write_takes_no_error_of_a_sync, sync_beside_writes, 20000)

/* ---- writes whose calls are held ---- */

#define NR_CANCELS 20000
#define NR_HELD    2 /* of these the first one fails, but not if it is made again */

static int fd;
static struct seccomp_notif failing;
static bool is_failing;

/* The first call for the first block is kept for later, each other call is made. */
static void serve_one(void)
{
	struct seccomp_notif call;

	held_calls_take(&call);
	if (call.data.args[3] == 0 && !is_failing) {
		is_failing = true;
		failing = call;
	} else {
		held_calls_let_go_on(&call);
	}
}

/* The other one is performed when this returns, or waits until the first one has ended. */
static bool begin_held(void)
{
	fd = temp_file_filled(NR_HELD * BLOCK);
	fd = reopen(fd, O_RDWR | O_DSYNC);
	if (!held_calls_begin(SYS_pwrite64, SYS_pwrite64))
		return false;
	for (int i = 0; i < NR_HELD; i++)
		submit_write(&cbs[i], fd, buf, BLOCK, i * BLOCK);
	while (!is_failing || becomes_true(held_calls_has_one(), 50))
		serve_one();
	return true;
}

static bool have_ended(void)
{
	while (held_calls_has_one())
		serve_one();
	return aio_error(&cbs[0]) != EINPROGRESS && aio_error(&cbs[1]) != EINPROGRESS;
}

static void fail_first(void)
{
	held_calls_answer(&failing, EIO);
	eventually(have_ended());
	check_equal(outcome(&cbs[0]), -EIO);
}

/* Nobody knows whose error it was: it stays where it was reported. */
static int write_beside_error(void)
{
	if (!begin_held())
		return CHILD_SKIPPED;
	fail_first();
	check_equal(outcome(&cbs[1]), BLOCK);
	return 0;
}

static int cancel_beside_error(void)
{
	int answer;

	if (!begin_held())
		return CHILD_SKIPPED;
	answer = aio_cancel(fd, &cbs[1]);
	check(answer != AIO_ALLDONE || aio_error(&cbs[1]) != EINPROGRESS);
	fail_first();
	check_equal(outcome(&cbs[1]), answer == AIO_CANCELED ? -ECANCELED : BLOCK);
	return 0;
}

/* It asks later and later, so now and then while a result is held back. */
static int cancel_often(void)
{
	fd = reopen(memory_file(), O_RDWR | O_DSYNC);
	for (int round = 0; round < NR_CANCELS; round++) {
		uint64_t asks_at = now_ns() + (uint64_t)(round % 1000) * 40;

		submit_write(&cbs[0], fd, buf, BLOCK, 0);
		while (now_ns() < asks_at)
			continue;
		if (aio_cancel(fd, NULL) == AIO_ALLDONE)
			check(aio_error(&cbs[0]) != EINPROGRESS);
		await(&cbs[0]);
	}
	return 0;
}

/* The next file of that descriptor gets nothing. */
static int close_beside_error(void)
{
	int next;
	struct stat st;

	if (!begin_held())
		return CHILD_SKIPPED;
	check_equal(close(fd), 0);
	next = memory_file();
	check_equal(next, fd);
	fail_first();
	check(outcome(&cbs[1]) == BLOCK || outcome(&cbs[1]) == -EIO);
	check_equal(fstat(next, &st), 0);
	check_equal(st.st_size, 0);
	return 0;
}

TEST_OR_SKIP(test_error_that_does_not_come_back_stays, write_beside_error, 20000)
TEST_OR_SKIP(test_cancel_beside_an_error, cancel_beside_error, 20000)
TEST_IN_CHILD(test_cancel_says_all_done_when_it_is, cancel_often, 60000)
TEST_OR_SKIP(test_close_beside_an_error, close_beside_error, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_of_a_dsync_write_is_its_own),
		cmocka_unit_test(test_error_of_a_sync_write_is_its_own),
		cmocka_unit_test(test_later_write_takes_no_error_of_a_sync),
		cmocka_unit_test(test_error_that_does_not_come_back_stays),
		cmocka_unit_test(test_cancel_beside_an_error),
		cmocka_unit_test(test_cancel_says_all_done_when_it_is),
		cmocka_unit_test(test_close_beside_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
