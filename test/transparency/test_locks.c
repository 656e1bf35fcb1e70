// SPDX-License-Identifier: MIT
/*
 * test_locks.c - locks of files last as long as the program keeps them
 *
 * Closing any fd of an inode drops the process's record locks (fcntl) on it,
 * whatever kind of file that is.  Serial line programs lock their terminals so.
 * A library that duplicates and closes an fd on the way takes them away.  The
 * lock of an open file (flock) is gone when all have closed it: a library that
 * keeps the file open keeps the lock.
 */
#include "sockets.h"
#include "transparency.h"

#include <pty.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>

/* The request's fd, and the other end if there is one. */
struct locked {
	int fd, peer;
};

static struct locked locked;

static void lock(int fd, int peer)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	check(fd >= 0);
	locked.fd = fd;
	locked.peer = peer;
	check_equal(fcntl(fd, F_SETLK, &whole), 0);
}

/* A lock of an open file, if one were set, would meet that of the process. */
static void check_still_locked(void)
{
	struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	check_equal(fcntl(locked.fd, F_OFD_GETLK, &found), 0);
	check_equal(found.l_type, F_WRLCK);
	check_equal(found.l_pid, getpid());
}

static void lock_terminal(void)
{
	struct termios raw;
	int master, slave;

	check_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	check_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	check_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	lock(slave, master);
}

static void lock_fifo(void)
{
	const char *path = temp_path("fifo");
	int fd;

	check_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	lock(fd, fd);
}

static void lock_socket(void)
{
	int fds[2];

	open_timed_socket(fds);
	lock(fds[0], fds[1]);
}

static void lock_zero_device(void)
{
	lock(open("/dev/zero", O_RDWR | O_CLOEXEC), -1);
}

static void lock_file(void)
{
	lock(temp_file_filled(65536), -1);
}

/* ---- what is done with the locked file ---- */

static void read_a_byte(void)
{
	struct aiocb cb;
	char byte;

	submit_read(&cb, locked.fd, &byte, 1, 0);
	if (locked.peer >= 0) {
		eventually(others_are_asleep());
		write_fully(locked.peer, "x", 1);
	}
	check_equal(outcome(&cb), 1);
}

static void write_a_byte(void)
{
	struct aiocb cb;

	submit_write(&cb, locked.fd, "x", 1, 0);
	check_equal(outcome(&cb), 1);
}

/* Streams refuse it. */
static void sync_it(void)
{
	struct aiocb cb;
	ssize_t res;

	aiocb_init(&cb, locked.fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	res = outcome(&cb);
	check(res == 0 || res == -EINVAL);
}

/* Whether or not the read can be cancelled, the lock stays. */
static void cancel_a_read(void)
{
	struct aiocb cb;
	char byte;

	submit_read(&cb, locked.fd, &byte, 1, 0);
	if (aio_cancel(locked.fd, &cb) == AIO_NOTCANCELED && locked.peer >= 0)
		write_fully(locked.peer, "x", 1);
	outcome(&cb);
}

static void use_locked(void (*use)(void))
{
	use();
	check_still_locked();
}

static int keep_lock(void *lock_it)
{
	((void (*)(void))lock_it)();
	check_still_locked();
	use_locked(read_a_byte);
	use_locked(write_a_byte);
	use_locked(sync_it);
	use_locked(cancel_a_read);
	return 0;
}

#define TEST_LOCK(kind)                                                                            \
	static void test_requests_keep_the_lock_of_a_##kind(void **state)                          \
	{                                                                                          \
		(void)state;                                                                       \
		support_check_child(in_child_with(keep_lock, (void *)(lock_##kind), 30000), #kind, \
				    __FILE__, __LINE__);                                           \
	}

TEST_LOCK(terminal)
TEST_LOCK(fifo)
TEST_LOCK(socket)
TEST_LOCK(zero_device)
TEST_LOCK(file)

/* ---- the lock of an open file ---- */

#define NR_FILES 30
#define NR_READS 16

/* The lock belongs to the open file, whichever process holds that. */
static void close_under_reads(int fd, char *buf)
{
	static struct aiocb cbs[NR_READS];
	int another = reopen(fd, O_RDWR);

	check_equal(flock(fd, LOCK_EX), 0);
	evict(fd);
	for (int i = 0; i < NR_READS; i++)
		submit_read(&cbs[i], fd, buf + i * 4096, 4096, i * 4096);
	check_equal(close(fd), 0);
	for (int i = 0; i < NR_READS; i++)
		check(outcome(&cbs[i]) != 0); /* whether it was in time is another test's */
	eventually(flock(another, LOCK_EX | LOCK_NB) == 0);
	close(another);
}

static int close_files_under_reads(void)
{
	char *buf = direct_buffer(NR_READS * 4096);

	for (int i = 0; i < NR_FILES; i++) {
		int fd = direct_file(NR_READS * 4096, 0);

		if (fd < 0) {
			printf("no O_DIRECT here");
			return CHILD_SKIPPED;
		}
		if (i % 2)
			check_equal(fcntl(fd, F_SETFL, 0), 0);
		close_under_reads(fd, buf);
	}
	return 0;
}

TEST_OR_SKIP(test_file_is_let_go_after_its_last_request, close_files_under_reads, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_keep_the_lock_of_a_terminal),
		cmocka_unit_test(test_requests_keep_the_lock_of_a_fifo),
		cmocka_unit_test(test_requests_keep_the_lock_of_a_socket),
		cmocka_unit_test(test_requests_keep_the_lock_of_a_zero_device),
		cmocka_unit_test(test_requests_keep_the_lock_of_a_file),
		cmocka_unit_test(test_file_is_let_go_after_its_last_request),
	};

	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
