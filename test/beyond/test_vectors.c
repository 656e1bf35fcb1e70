// SPDX-License-Identifier: MIT
/*
 * test_vectors.c - aio_readv() and aio_writev(): what they transfer
 *
 * A request with a vector does what preadv() or pwritev() would do at its time, on every kind of
 * file, however many buffers it has, and in its place among other requests.
 * test_vectors_arguments.c is about what is refused, test_vectors_life.c about requests that
 * outlive their call.
 */
#include "gate.h"
#include "vectors.h"

#include <sys/socket.h>

#define BLOCK 4096
#define FAR   ((off_t)32 << 20)

/* A library may treat short vectors in another way than long ones. */
static const size_t numbers[] = { 1, 2, 16, 17, 18, 19, 40, IOV_MAX };
#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* ---- files ---- */

/* Write with a vector, compare with what pread() finds, and read back with a vector. */
static void write_and_read(int fd, size_t nr, size_t unit, off_t offset, bool is_cold)
{
	struct pieces pieces = pieces_make(nr, unit, true);
	char *found = direct_buffer(pieces.nbytes);
	struct aiocb cb;

	pieces_fill(&pieces, 7);
	submit_writev(&cb, fd, pieces.entries, nr, offset);
	check_equal(outcome(&cb), pieces.nbytes);
	check_equal(pread(fd, found, pieces.nbytes, offset), pieces.nbytes);
	check_pattern(found, 7, pieces.nbytes);
	if (is_cold)
		evict(fd);
	pieces_clear(&pieces);
	submit_readv(&cb, fd, pieces.entries, nr, offset);
	check_equal(outcome(&cb), pieces.nbytes);
	pieces_check(&pieces, 7, pieces.nbytes);
	free(found);
	pieces_drop(&pieces);
}

/*
 * Several rounds: a library may serve the first requests of a file in another way than later ones.
 */
static void use_file(int fd, size_t unit, bool is_cold)
{
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < NR_NUMBERS; i++)
			write_and_read(fd, numbers[i], unit, round * BLOCK, is_cold);
	for (size_t i = 0; i < NR_NUMBERS; i++) /* beyond the end: the file grows */
		write_and_read(fd, numbers[i], unit, FAR * (off_t)(i + 1), is_cold);
	close(fd);
}

static int use_cached(void)
{
	use_file(temp_file(0), 3, false);
	use_file(temp_file(0), 1000, false);
	return 0;
}

static int use_cold(void)
{
	use_file(temp_file(0), 100, true);
	return 0;
}

static int use_memory(void)
{
	use_file(memory_file(), 3, false);
	use_file(memory_file(), 1000, false);
	return 0;
}

static int use_synced(void)
{
	int fd = temp_file(O_DSYNC);

	for (int i = 0; i < 3; i++)
		write_and_read(fd, numbers[i], 100, i * 100, false);
	return 0;
}

static int use_direct(void)
{
	int fd = direct_file(BLOCK, 0);

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	use_file(fd, BLOCK, false);
	return 0;
}

TEST_OF_VECTORS(test_vectors_of_a_cached_file, use_cached, 60000)
TEST_OF_VECTORS(test_vectors_of_a_file_on_disk, use_cold, 60000)
TEST_OF_VECTORS(test_vectors_of_a_file_in_memory, use_memory, 60000)
TEST_OF_VECTORS(test_vectors_of_a_synced_file, use_synced, 60000)
TEST_OF_VECTORS(test_vectors_of_o_direct, use_direct, 60000)

static int append(void)
{
	struct pieces pieces = pieces_make(20, 10, true);
	int fd = temp_file(O_APPEND);
	char *found = direct_buffer(2 * pieces.nbytes);
	struct aiocb cbs[2];

	for (int i = 0; i < 2; i++) {
		pieces_fill(&pieces, (size_t)i * pieces.nbytes);
		submit_writev(&cbs[i], fd, pieces.entries, pieces.nr, 5);
		check_equal(outcome(&cbs[i]), pieces.nbytes);
	}
	check_equal(pread(fd, found, 2 * pieces.nbytes, 0), 2 * pieces.nbytes);
	check_pattern(found, 0, 2 * pieces.nbytes);
	return 0;
}

TEST_OF_VECTORS(test_vectored_append_goes_to_the_end, append, 20000)

static int read_at_the_end(void)
{
	struct pieces pieces = pieces_make(20, 100, false);
	int fds[] = { temp_file_filled(1234), memory_file() };
	struct aiocb cb;

	pieces_fill(&pieces, 0);
	check_equal(pwritev(fds[1], pieces.entries, 20, 0), pieces.nbytes);
	check_equal(ftruncate(fds[1], 1234), 0);
	for (int i = 0; i < 4; i++) {
		pieces_clear(&pieces);
		submit_readv(&cb, fds[i % 2], pieces.entries, pieces.nr, 0);
		check_equal(outcome(&cb), 1234);
		pieces_check(&pieces, 0, 1234);
		submit_readv(&cb, fds[i % 2], pieces.entries, pieces.nr, 1234);
		check_equal(outcome(&cb), 0);
	}
	return 0;
}

TEST_OF_VECTORS(test_vectored_read_ends_with_the_file, read_at_the_end, 20000)

/* ---- notification ---- */

static sem_t called;

static void call(union sigval value)
{
	(void)value;
	sem_post(&called);
}

static void await_notification(bool is_signal)
{
	siginfo_t info;
	sigset_t set;

	if (!is_signal) {
		await_semaphore(&called);
		return;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check_equal(sigwaitinfo(&set, &info), SIGUSR1);
	check_equal(info.si_value.sival_int, 77);
}

static void transfer_notified(int fd, size_t nr, bool is_signal)
{
	struct pieces pieces = pieces_make(nr, 100, true);
	struct aiocb cb;

	aiocb_init(&cb, fd, NULL, 0, 0);
	cb.aio_iov = pieces.entries;
	cb.aio_iovcnt = nr;
	if (is_signal)
		notify_by_signal(&cb.aio_sigevent, SIGUSR1, 77);
	else
		notify_by_thread(&cb.aio_sigevent, call, NULL);
	pieces_fill(&pieces, 0);
	check_equal(call_writev(&cb), 0);
	await_notification(is_signal);
	check_equal(outcome(&cb), pieces.nbytes);
	pieces_clear(&pieces);
	check_equal(call_readv(&cb), 0);
	await_notification(is_signal);
	check_equal(outcome(&cb), pieces.nbytes);
	pieces_check(&pieces, 0, pieces.nbytes);
	pieces_drop(&pieces);
}

static int notify(void)
{
	int fd = temp_file(0);

	sem_init(&called, 0, 0);
	change_mask(SIG_BLOCK, SIGUSR1);
	for (int is_signal = 1; is_signal >= 0; is_signal--)
		for (size_t i = 0; i < NR_NUMBERS; i++)
			transfer_notified(fd, numbers[i], is_signal);
	return 0;
}

TEST_OF_VECTORS(test_vectored_requests_notify, notify, 30000)

/* ---- streams ---- */

static void use_pair(int from, int to)
{
	for (size_t i = 0; i < NR_NUMBERS; i++) {
		struct pieces pieces = pieces_make(numbers[i], 3, true);
		struct aiocb cb;

		for (int is_ahead = 0; is_ahead < 2; is_ahead++) {
			struct aiocb read_cb;

			pieces_fill(&pieces, 1);
			submit_writev(&cb, to, pieces.entries, pieces.nr, 0);
			check_equal(outcome(&cb), pieces.nbytes);
			pieces_clear(&pieces);
			submit_readv(&read_cb, from, pieces.entries, pieces.nr, 0);
			check_equal(outcome(&read_cb), pieces.nbytes);
			pieces_check(&pieces, 1, pieces.nbytes);
		}
		pieces_drop(&pieces);
	}
}

static int use_streams(void)
{
	int fds[2];

	open_pipe(fds);
	use_pair(fds[0], fds[1]);
	open_socketpair(fds, SOCK_STREAM);
	use_pair(fds[0], fds[1]);
	use_pair(fds[1], fds[0]);
	return 0;
}

/* As with writev(), a vector sends one datagram, and none if it holds no bytes. */
static int send_datagrams(void)
{
	char text[8] = "abcdef", found[16];
	struct iovec three[] = { { text, 1 }, { NULL, 0 }, { text + 1, 5 } };
	struct aiocb cb;
	int fds[2];

	open_socketpair(fds, SOCK_DGRAM);
	for (int i = 0; i < 3; i++) {
		submit_writev(&cb, fds[1], three + 1, 1, 0);
		check_equal(outcome(&cb), 0);
		submit_writev(&cb, fds[1], three, 3, 0);
		check_equal(outcome(&cb), 6);
		check_equal(read(fds[0], found, sizeof(found)), 6);
		check_memory(found, "abcdef", 6);
		write_fully(fds[1], "uvwxyz", 6);
		memset(text, 0, sizeof(text));
		submit_readv(&cb, fds[0], three, 3, 0);
		check_equal(outcome(&cb), 6);
		check_memory(text, "uvwxyz", 6);
		memcpy(text, "abcdef", 6);
	}
	return 0;
}

TEST_OF_VECTORS(test_vectors_of_streams, use_streams, 20000)
TEST_OF_VECTORS(test_vector_is_one_datagram, send_datagrams, 20000)

/* ---- lists ---- */

/* The same list can be submitted again, because its opcodes stay as they are. */
static int mix_in_a_list(void)
{
	struct pieces one = pieces_make(30, 100, true), other = pieces_make(3, 100, true);
	char *plain = direct_buffer(one.nbytes), *source = direct_buffer(one.nbytes);
	int fd = temp_file(0);
	struct aiocb cbs[4], *list[] = { &cbs[0], &cbs[1], NULL, &cbs[2], &cbs[3] };

	pattern_fill(source, 0, one.nbytes);
	aiocb_init_lio(&cbs[0], LIO_WRITE, fd, source, one.nbytes, 0);
	aiocb_init_lio(&cbs[1], LIO_READV, fd, one.entries, one.nr, 0);
	aiocb_init_lio(&cbs[2], LIO_WRITEV, fd, other.entries, other.nr, FAR);
	aiocb_init_lio(&cbs[3], LIO_READ, fd, plain, other.nbytes, FAR);
	for (int i = 0; i < 6; i++) {
		pieces_clear(&one);
		pieces_fill(&other, 5);
		memset(plain, 0, one.nbytes);
		check_equal(lio_listio(i % 2 ? LIO_WAIT : LIO_NOWAIT, list, 5, NULL), 0);
		for (int j = 0; j < 4; j++)
			check_equal(outcome(&cbs[j]), j < 2 ? one.nbytes : other.nbytes);
		pieces_check(&one, 0, one.nbytes);
		check_pattern(plain, 5, other.nbytes);
	}
	check_equal(cbs[1].aio_lio_opcode, LIO_READV);
	check_equal(cbs[2].aio_lio_opcode, LIO_WRITEV);
	return 0;
}

/* Reads of a cached file: a library may serve several of them by one system call. */
static int list_many(void)
{
	enum { NR = 64 };
	static struct aiocb cbs[NR];
	struct aiocb *list[NR];
	struct pieces pieces[NR];
	int fd = temp_file_filled(NR * BLOCK);

	for (int i = 0; i < NR; i++) {
		pieces[i] = pieces_make(3, 1000, false);
		if (i % 2)
			aiocb_init_lio(&cbs[i], LIO_READV, fd, pieces[i].entries, 3, i * BLOCK);
		else
			aiocb_init_lio(&cbs[i], LIO_READ, fd, pieces[i].memory, BLOCK, i * BLOCK);
		list[i] = &cbs[i];
	}
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < NR; i++)
			pieces_clear(&pieces[i]);
		check_equal(lio_listio(LIO_WAIT, list, NR, NULL), 0);
		for (int i = 0; i < NR; i++) {
			check_equal(aio_return(&cbs[i]), i % 2 ? 4000 : BLOCK);
			if (i % 2)
				pieces_check(&pieces[i], (size_t)i * BLOCK, 4000);
			else
				check_pattern(pieces[i].memory, (size_t)i * BLOCK, BLOCK);
		}
	}
	return 0;
}

static int list_with_a_wrong_vector(void)
{
	char buf[10];
	struct iovec vector[] = { { buf, 5 }, { buf + 5, 5 } };
	int fd = temp_file_filled(100);
	struct aiocb cbs[3], *list[] = { &cbs[0], &cbs[1], &cbs[2] };

	aiocb_init_lio(&cbs[0], LIO_READV, fd, vector, 2, 0);
	aiocb_init_lio(&cbs[1], LIO_READV, fd, NULL, 2, 0);
	aiocb_init_lio(&cbs[2], LIO_READV, fd, vector, 2, 10);
	check_equal(lio_listio(LIO_WAIT, list, 3, NULL), -1);
	check_equal(errno, EIO);
	check_equal(outcome(&cbs[0]), 10);
	check_equal(outcome(&cbs[1]), -EFAULT);
	check_equal(outcome(&cbs[2]), 10);
	check_pattern(buf, 10, 10);
	check_equal(lio_listio(LIO_NOWAIT, &list[1], 1, NULL), -1);
	check_equal(errno, EFAULT);
	return 0;
}

TEST_OF_VECTORS(test_list_has_plain_and_vectored_entries, mix_in_a_list, 20000)
TEST_OF_VECTORS(test_long_list_has_plain_and_vectored_entries, list_many, 30000)
TEST_OF_VECTORS(test_wrong_vector_fails_its_entry_alone, list_with_a_wrong_vector, 20000)

/* ---- order ---- */

/* The write is blocked at its second buffer.  A read must wait for the data of the third one. */
static int read_what_is_being_written(void)
{
	char *last = direct_buffer(BLOCK), *before = direct_buffer(BLOCK);
	char *after = direct_buffer(BLOCK);
	struct iovec to[] = { { after, 100 }, { after + 100, BLOCK - 100 } };
	struct iovec from[3];
	struct aiocb write_cb, read_cb, other_cb;
	struct gate gate;
	int fd = memory_file();

	if (!gate_make(&gate, 4 * BLOCK))
		return CHILD_SKIPPED;
	memset(last, 'l', BLOCK);
	from[0] = (struct iovec){ last, BLOCK };
	from[1] = (struct iovec){ gate.memory, gate.size };
	from[2] = (struct iovec){ last, BLOCK };
	aiocb_init(&write_cb, fd, NULL, 0, 0);
	notify_by_thread(&write_cb.aio_sigevent, call, NULL);
	sem_init(&called, 0, 0);
	write_cb.aio_iov = from;
	write_cb.aio_iovcnt = 3;
	check_equal(call_writev(&write_cb), 0);
	gate_await(&gate);
	submit_read(&other_cb, fd, before, BLOCK, (off_t)(2 * BLOCK + gate.size));
	check_equal(outcome(&other_cb), 0);
	submit_readv(&read_cb, fd, to, 2, (off_t)(BLOCK + gate.size));
	eventually(others_are_asleep());
	check_equal(aio_error(&read_cb), EINPROGRESS);
	gate_open(&gate, 'g');
	check_equal(outcome(&write_cb), 2 * BLOCK + gate.size);
	check_equal(outcome(&read_cb), BLOCK);
	check_memory(after, last, BLOCK);
	await_semaphore(&called);
	return 0;
}

static void write_and_read_at_once(int fd, size_t unit)
{
	struct pieces from = pieces_make(8, unit, false), to = pieces_make(3, unit, false);
	struct aiocb write_cb, read_cb;

	for (int i = 0; i < 200; i++) {
		pieces_fill(&from, (size_t)i);
		pieces_clear(&to);
		submit_writev(&write_cb, fd, from.entries, from.nr, 0);
		submit_readv(&read_cb, fd, to.entries, to.nr, (off_t)(8 * unit));
		check_equal(outcome(&read_cb), to.nbytes);
		check_equal(outcome(&write_cb), from.nbytes);
		pieces_check(&to, (size_t)i + 8 * unit, to.nbytes);
	}
}

static int read_what_was_written(void)
{
	int direct = direct_file(BLOCK, 0);

	write_and_read_at_once(temp_file(0), 300);
	write_and_read_at_once(temp_file(0), 30000);
	write_and_read_at_once(memory_file(), 30000);
	if (direct >= 0)
		write_and_read_at_once(direct, BLOCK);
	return 0;
}

TEST_OF_VECTORS(test_read_waits_for_the_last_buffer_of_a_write, read_what_is_being_written, 20000)
TEST_OF_VECTORS(test_read_behind_a_vectored_write_finds_its_data, read_what_was_written, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_of_a_cached_file),
		cmocka_unit_test(test_vectors_of_a_file_on_disk),
		cmocka_unit_test(test_vectors_of_a_file_in_memory),
		cmocka_unit_test(test_vectors_of_a_synced_file),
		cmocka_unit_test(test_vectors_of_o_direct),
		cmocka_unit_test(test_vectored_append_goes_to_the_end),
		cmocka_unit_test(test_vectored_read_ends_with_the_file),
		cmocka_unit_test(test_vectored_requests_notify),
		cmocka_unit_test(test_vectors_of_streams),
		cmocka_unit_test(test_vector_is_one_datagram),
		cmocka_unit_test(test_list_has_plain_and_vectored_entries),
		cmocka_unit_test(test_long_list_has_plain_and_vectored_entries),
		cmocka_unit_test(test_wrong_vector_fails_its_entry_alone),
		cmocka_unit_test(test_read_waits_for_the_last_buffer_of_a_write),
		cmocka_unit_test(test_read_behind_a_vectored_write_finds_its_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
