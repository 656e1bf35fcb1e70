// SPDX-License-Identifier: MIT
/*
 * test_freebsd_vectors.c - what FreeBSD's manual says of aio_readv, aio_writev and lio_listio
 *
 * Its statements that the other programs here do not ask for.
 */
#include "gate.h"
#include "vectors.h"

#define BLOCK 4096

/* ---- aio_readv and aio_writev ---- */

#define NR_APPENDS 100

/* Plain and vectored ones in turn, all of them in flight at once. */
static int append(void)
{
	static struct aiocb cbs[NR_APPENDS];
	static char text[NR_APPENDS][10];
	static struct iovec vectors[NR_APPENDS][2];
	char found[10 * NR_APPENDS];
	int fd = temp_file(O_APPEND);

	for (int i = 0; i < NR_APPENDS; i++) {
		pattern_fill(text[i], (size_t)i * 10, 10);
		vectors[i][0] = (struct iovec){ text[i], 3 };
		vectors[i][1] = (struct iovec){ text[i] + 3, 7 };
		if (i % 2)
			submit_write(&cbs[i], fd, text[i], 10, 0);
		else
			submit_writev(&cbs[i], fd, vectors[i], 2, 0);
	}
	for (int i = 0; i < NR_APPENDS; i++)
		check_equal(outcome(&cbs[i]), 10);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_pattern(found, 0, sizeof(found));
	check_equal(file_size(fd), sizeof(found));
	return 0;
}

/* The opcode is the library's to set, as with glibc. */
static void check_public_members(const struct aiocb *cb, const struct aiocb *before)
{
	check_equal(cb->aio_fildes, before->aio_fildes);
	check_equal(cb->aio_reqprio, before->aio_reqprio);
	check(cb->aio_iov == before->aio_iov);
	check_equal(cb->aio_iovcnt, before->aio_iovcnt);
	check_equal(cb->aio_offset, before->aio_offset);
	check_memory(&cb->aio_sigevent, &before->aio_sigevent, sizeof(cb->aio_sigevent));
}

/* Also when it was refused, and while it waits. */
static int compare_blocks(void)
{
	struct pieces pieces = pieces_make(30, 10, false);
	struct aiocb cb, before;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&cb, fds[0], pieces.entries, IOV_MAX + 1, 123);
	before = cb;
	check_equal(call_readv(&cb), -1);
	check_public_members(&cb, &before);
	cb.aio_iovcnt = before.aio_iovcnt = pieces.nr;
	check_equal(call_readv(&cb), 0);
	eventually(others_are_asleep());
	check_public_members(&cb, &before);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	check_public_members(&cb, &before);
	cb.aio_fildes = before.aio_fildes = fds[1];
	check_equal(call_writev(&cb), 0);
	check_equal(outcome(&cb), pieces.nbytes);
	check_public_members(&cb, &before);
	return 0;
}

/* Nothing is transferred, and the error is that of preadv and pwritev. */
static int use_largest_offsets(void)
{
	static const off_t offsets[] = { LLONG_MAX, LLONG_MAX - 5, -1, LLONG_MIN };
	char bytes[10] = "";
	struct iovec vector[] = { { bytes, 5 }, { bytes + 5, 5 } };
	int fd = temp_file_filled(100);
	struct aiocb cb;

	set_soft_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		ssize_t expected = preadv(fd, vector, 2, offsets[i]);

		expected = expected < 0 ? -errno : expected;
		check(expected <= 0);
		submit_readv(&cb, fd, vector, 2, offsets[i]);
		check_equal(outcome(&cb), expected);
		check_equal(pwritev(fd, vector, 2, offsets[i]), -1);
		expected = -errno;
		submit_writev(&cb, fd, vector, 2, offsets[i]);
		check_equal(outcome(&cb), expected);
	}
	check_equal(file_size(fd), 100);
	return 0;
}

static void refuse_writev(int fd, struct iovec *vector, size_t nr, int err)
{
	struct aiocb cb;

	aiocb_init(&cb, fd, vector, nr, 0);
	errno = 0;
	check_equal(call_writev(&cb), -1);
	check_equal(errno, err);
	check_equal(aio_error(&cb), err);
}

static int refuse_writes(void)
{
	char byte = 'x';
	struct iovec good = { &byte, 1 }, huge[] = { { &byte, SSIZE_MAX }, { &byte, 1 } };
	int fd = temp_file(0);
	struct aiocb cb;

	refuse_writev(fd, NULL, 1, EFAULT);
	refuse_writev(fd, (struct iovec *)-sizeof(good), 1, EFAULT);
	refuse_writev(fd, huge, 2, EINVAL);
	refuse_writev(fd, &good, IOV_MAX + 1, EINVAL);
	check_equal(file_size(fd), 0);
	submit_writev(&cb, fd, &good, 1, 0);
	check_equal(outcome(&cb), 1);
	return 0;
}

/* The second buffer of the write is not there yet, so it goes on, and the sync waits. */
static int sync_behind_a_write(void)
{
	char *first = direct_buffer(BLOCK);
	struct iovec from[2];
	struct aiocb write_cb, sync_cb;
	struct gate gate;
	int fd = temp_file(0);

	if (!gate_make(&gate, BLOCK))
		return CHILD_SKIPPED;
	from[0] = (struct iovec){ first, BLOCK };
	from[1] = (struct iovec){ gate.memory, gate.size };
	aiocb_init(&write_cb, fd, from, 2, 0);
	notify_by_signal(&write_cb.aio_sigevent, SIGUSR1, 0); /* not inside the call */
	catch_signal(SIGUSR1, SA_RESTART);
	check_equal(call_writev(&write_cb), 0);
	gate_await(&gate);
	aiocb_init(&sync_cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &sync_cb), 0);
	eventually(others_are_asleep());
	check_equal(aio_error(&sync_cb), EINPROGRESS);
	gate_open(&gate, 'g');
	check_equal(outcome(&write_cb), BLOCK + gate.size);
	check_equal(outcome(&sync_cb), 0);
	return 0;
}

TEST_OF_VECTORS(test_plain_and_vectored_appends_keep_their_order, append, 20000)
TEST_OF_VECTORS(test_vectored_request_leaves_its_block_alone, compare_blocks, 20000)
TEST_OF_VECTORS(test_largest_offsets_are_those_of_preadv, use_largest_offsets, 20000)
TEST_OF_VECTORS(test_wrong_vectors_of_a_write_are_refused, refuse_writes, 20000)
TEST_OF_VECTORS(test_fsync_waits_for_a_vectored_write, sync_behind_a_write, 20000)

/* ---- LIO_READV and LIO_WRITEV ---- */

/* The list is announced once, after its last entry; entries without a request do not count. */
static int announce_list(void)
{
	static struct aiocb cbs[3], *list[] = { &cbs[0], NULL, &cbs[1], &cbs[2] };
	struct pieces pieces[2] = { pieces_make(3, 10, false), pieces_make(30, 10, false) };
	struct sigevent event;
	siginfo_t info;
	sigset_t set;
	int fds[2][2];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	change_mask(SIG_BLOCK, SIGUSR1);
	notify_by_signal(&event, SIGUSR1, 5);
	for (int i = 0; i < 2; i++) {
		open_pipe(fds[i]);
		aiocb_init_lio(&cbs[i], LIO_READV, fds[i][0], pieces[i].entries, pieces[i].nr, 0);
	}
	aiocb_init_lio(&cbs[2], LIO_NOP, -1, NULL, 0, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 4, &event), 0);
	write_fully(fds[1][1], "x", 1);
	check_equal(outcome(&cbs[1]), 1);
	check(!is_pending(SIGUSR1));
	write_fully(fds[0][1], "xy", 2);
	check_equal(outcome(&cbs[0]), 2);
	eventually(is_pending(SIGUSR1));
	check_equal(sigwaitinfo(&set, &info), SIGUSR1);
	check_equal(info.si_value.sival_int, 5);
	check(!is_pending(SIGUSR1));
	return 0;
}

/* One fails when it is carried out. */
static int list_a_failure(void)
{
	struct aiocb cbs[3], *list[] = { &cbs[0], &cbs[1], &cbs[2] };
	char bytes[] = "abcd";
	struct iovec halves[] = { { bytes, 2 }, { bytes + 2, 2 } };
	int fd = temp_file(0);

	aiocb_init_lio(&cbs[0], LIO_WRITEV, fd, halves, 2, 0);
	aiocb_init_lio(&cbs[1], LIO_WRITEV, reopen(fd, O_RDONLY), halves, 2, 4);
	aiocb_init_lio(&cbs[2], LIO_WRITEV, fd, halves, 2, 8);
	check_equal(lio_listio(LIO_WAIT, list, 3, NULL), -1);
	check_equal(errno, EIO);
	check_equal(aio_error(&cbs[0]), 0);
	check_equal(aio_error(&cbs[1]), EBADF);
	check_equal(aio_return(&cbs[1]), -1);
	check_equal(aio_error(&cbs[2]), 0);
	check_equal(file_size(fd), 12);
	return 0;
}

TEST_OF_VECTORS(test_list_of_vectors_is_announced_once, announce_list, 20000)
TEST_OF_VECTORS(test_failed_vector_of_a_list_gives_eio, list_a_failure, 20000)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_and_vectored_appends_keep_their_order),
		cmocka_unit_test(test_vectored_request_leaves_its_block_alone),
		cmocka_unit_test(test_largest_offsets_are_those_of_preadv),
		cmocka_unit_test(test_wrong_vectors_of_a_write_are_refused),
		cmocka_unit_test(test_fsync_waits_for_a_vectored_write),
		cmocka_unit_test(test_list_of_vectors_is_announced_once),
		cmocka_unit_test(test_failed_vector_of_a_list_gives_eio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
