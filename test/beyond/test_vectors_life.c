// SPDX-License-Identifier: MIT
/*
 * test_vectors_life.c - vectored requests that outlive the call that submits them
 *
 * The vector is the program's again when the call has returned.  Requests that wait can be
 * cancelled, their descriptors closed and the process forked, and what the library keeps of a
 * vector goes with its request.
 */
#include "shortage.h"
#include "vectors.h"

#include <sys/mman.h>
#include <sys/socket.h>

#define NR_MAX IOV_MAX

static const size_t numbers[] = { 1, 3, 18, 19, IOV_MAX };
#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* ---- the vector is the program's again ---- */

static void overwrite(const struct pieces *pieces, struct iovec *vector)
{
	for (size_t i = 0; i < pieces->nr; i++)
		vector[i] = (struct iovec){ (void *)-1, SIZE_MAX };
}

static struct iovec *copy_of(const struct pieces *pieces)
{
	struct iovec *vector = mmap(NULL, NR_MAX * sizeof(*vector), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(vector != MAP_FAILED);
	memcpy(vector, pieces->entries, pieces->nr * sizeof(*vector));
	return vector;
}

/* The vector is unmapped, or its entries are overwritten. */
static void take_back(const struct pieces *pieces, struct iovec *vector, bool is_unmapped)
{
	if (is_unmapped)
		check_equal(munmap(vector, NR_MAX * sizeof(*vector)), 0);
	else
		overwrite(pieces, vector);
}

static int change_vector_of_reads(void)
{
	for (size_t i = 0; i < 2 * NR_NUMBERS; i++) {
		struct pieces pieces = pieces_make(numbers[i / 2], 20, false);
		struct iovec *vector = copy_of(&pieces);
		char *data = direct_buffer(pieces.nbytes);
		struct aiocb cb;
		int fds[2];

		open_pipe(fds);
		submit_readv(&cb, fds[0], vector, pieces.nr, 0);
		take_back(&pieces, vector, i % 2);
		check_equal(aio_error(&cb), EINPROGRESS);
		pattern_fill(data, 3, pieces.nbytes);
		write_fully(fds[1], data, pieces.nbytes);
		check_equal(outcome(&cb), pieces.nbytes);
		pieces_check(&pieces, 3, pieces.nbytes);
		close_pair(fds);
		free(data);
	}
	return 0;
}

/* The pipe is full, so the write blocks, and uses the vector after it has changed. */
static int change_vector_of_writes(void)
{
	for (size_t i = 0; i < 2 * NR_NUMBERS; i++) {
		struct pieces pieces = pieces_make(numbers[i / 2], 1000, false);
		struct iovec *vector = copy_of(&pieces);
		char *data = direct_buffer(pieces.nbytes);
		struct aiocb cb;
		size_t before;
		int fds[2];

		open_pipe(fds);
		before = fill_up(fds[1]);
		pieces_fill(&pieces, 3);
		submit_writev(&cb, fds[1], vector, pieces.nr, 0);
		take_back(&pieces, vector, i % 2);
		check_equal(aio_error(&cb), EINPROGRESS);
		read_fully(fds[0], NULL, before);
		read_fully(fds[0], data, pieces.nbytes);
		check_pattern(data, 3, pieces.nbytes);
		check_equal(outcome(&cb), pieces.nbytes);
		close_pair(fds);
		free(data);
	}
	return 0;
}

static int change_vector_of_direct(void)
{
	int fd = direct_file(4096, 0);

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	for (int i = 0; i < 100; i++) {
		struct pieces pieces = pieces_make(i % 4 ? 3 : 40, 4096, false);
		struct iovec *vector = copy_of(&pieces);
		struct aiocb cb;

		pieces_fill(&pieces, (size_t)i);
		submit_writev(&cb, fd, vector, pieces.nr, 0);
		overwrite(&pieces, vector);
		check_equal(outcome(&cb), pieces.nbytes);
		pieces_clear(&pieces);
		memcpy(vector, pieces.entries, pieces.nr * sizeof(*vector));
		submit_readv(&cb, fd, vector, pieces.nr, 0);
		take_back(&pieces, vector, true);
		check_equal(outcome(&cb), pieces.nbytes);
		pieces_check(&pieces, (size_t)i, pieces.nbytes);
		pieces_drop(&pieces);
	}
	return 0;
}

TEST_OF_VECTORS(test_vector_of_a_read_may_change, change_vector_of_reads, 20000)
TEST_OF_VECTORS(test_vector_of_a_write_may_change, change_vector_of_writes, 30000)
TEST_OF_VECTORS(test_vector_of_o_direct_may_change, change_vector_of_direct, 30000)

/* ---- writes in parts ---- */

/*
 * The stream has room for a part: the request goes on where an attempt that does not block has
 * stopped.
 */
static void write_in_parts(int from, int to, size_t nr, size_t unit, size_t used)
{
	struct pieces pieces = pieces_make(nr, unit, true);
	char *data = direct_buffer(used + pieces.nbytes);
	struct aiocb cb;

	write_fully(to, data, used);
	pieces_fill(&pieces, 9);
	submit_writev(&cb, to, pieces.entries, pieces.nr, 0);
	read_fully(from, data, used + pieces.nbytes);
	check_pattern(data + used, 9, pieces.nbytes);
	check_equal(outcome(&cb), pieces.nbytes);
	pieces_drop(&pieces);
	free(data);
}

static int write_to_streams_in_parts(void)
{
	int fds[2];

	for (size_t used = 1; used < 60000; used += 7777) {
		open_pipe(fds);
		write_in_parts(fds[0], fds[1], 5, 30001, used);
		write_in_parts(fds[0], fds[1], 300, 1003, used);
		close_pair(fds);
		open_socketpair(fds, SOCK_STREAM);
		write_in_parts(fds[0], fds[1], 5, 130001, used);
		write_in_parts(fds[0], fds[1], 300, 3001, used);
		close_pair(fds);
	}
	return 0;
}

/* With O_NONBLOCK the part is the result, as with writev. */
static int write_a_part(void)
{
	struct pieces pieces = pieces_make(20, 10000, false);
	char *data = direct_buffer(pieces.nbytes);
	ssize_t expected;
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	pieces_fill(&pieces, 9);
	check_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	expected = writev(fds[1], pieces.entries, 20);
	read_fully(fds[0], NULL, (size_t)expected);
	submit_writev(&cb, fds[1], pieces.entries, pieces.nr, 0);
	check_equal(outcome(&cb), expected);
	read_fully(fds[0], data, (size_t)expected);
	check_pattern(data, 9, (size_t)expected);
	return 0;
}

TEST_OF_VECTORS(test_vectored_write_to_a_stream_is_whole, write_to_streams_in_parts, 30000)
TEST_OF_VECTORS(test_vectored_write_ends_in_parts_where_writev_does, write_a_part, 20000)

/* The library cannot make a thread that blocks, so it writes to the stream in several attempts. */
static int write_without_threads(void)
{
	struct pieces pieces = pieces_make(50, 4001, true);
	char *data = direct_buffer(pieces.nbytes);
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	pieces_fill(&pieces, 2);
	begin_shortage(ALL_USES);
	aiocb_init(&cb, fds[1], pieces.entries, pieces.nr, 0);
	if (call_writev(&cb) < 0) {
		check_equal(errno, EAGAIN);
		end_shortage();
		check_equal(call_writev(&cb), 0);
	}
	read_fully(fds[0], data, pieces.nbytes);
	check_pattern(data, 2, pieces.nbytes);
	check_equal(outcome(&cb), pieces.nbytes);
	return 0;
}

TEST_OF_VECTORS(test_vectored_write_without_threads_is_whole, write_without_threads, 30000)

/* ---- cancel, close, fork ---- */

/*
 * Submit two reads of a new pipe: one with few buffers, which begins, and one with many behind it.
 */
static void submit_two(struct aiocb cbs[2], int fds[2], struct pieces pieces[2])
{
	open_pipe(fds);
	for (int i = 0; i < 2; i++) {
		pieces_clear(&pieces[i]);
		submit_readv(&cbs[i], fds[0], pieces[i].entries, pieces[i].nr, 0);
	}
}

static int cancel_reads(void)
{
	struct pieces pieces[2] = { pieces_make(3, 10, false), pieces_make(30, 10, false) };
	struct aiocb cbs[2];
	int fds[2];

	for (int i = 0; i < 100; i++) {
		submit_two(cbs, fds, pieces);
		check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
		check_cancelled(&cbs[1]);
		write_fully(fds[1], "\0\1\2\3", 4);
		check_equal(outcome(&cbs[0]), 4);
		pieces_check(&pieces[0], 0, 4);
		pieces_check(&pieces[1], 0, 0);
		close_pair(fds);
	}
	return 0;
}

/*
 * The read under way goes on with the pipe, the queued one is cancelled, and neither reads the new
 * file.
 */
static int close_amid_reads(void)
{
	struct pieces pieces[2] = { pieces_make(3, 10, false), pieces_make(30, 10, false) };
	int other_fd = temp_file_filled(100), fds[2];
	struct aiocb cbs[2];
	char data[40];

	for (int i = 0; i < 50; i++) {
		submit_two(cbs, fds, pieces);
		eventually(others_are_asleep());
		check_equal(dup2(other_fd, fds[0]), fds[0]);
		pattern_fill(data, 5, sizeof(data));
		write_fully(fds[1], data, sizeof(data));
		check_equal(outcome(&cbs[0]), sizeof(data));
		pieces_check(&pieces[0], 5, sizeof(data));
		await(&cbs[1]);
		check_cancelled(&cbs[1]);
		pieces_check(&pieces[1], 0, 0);
		close_pair(fds);
	}
	return 0;
}

TEST_OF_VECTORS(test_queued_vectored_read_is_cancelled, cancel_reads, 20000)
TEST_OF_VECTORS(test_vectored_read_outlives_its_descriptor, close_amid_reads, 20000)

static int read_and_write_in_child(void)
{
	struct pieces pieces = pieces_make(30, 10, false);
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < 20; i++) {
		pieces_fill(&pieces, 4);
		submit_writev(&cb, fds[1], pieces.entries, pieces.nr, 0);
		check_equal(outcome(&cb), pieces.nbytes);
		pieces_clear(&pieces);
		submit_readv(&cb, fds[0], pieces.entries, pieces.nr, 0);
		check_equal(outcome(&cb), pieces.nbytes);
		pieces_check(&pieces, 4, pieces.nbytes);
	}
	return 0;
}

#define NR_WAITING 64

/* A child has none of its parent's requests, so it keeps none of their vectors. */
static int fork_amid_reads(void)
{
	static struct aiocb cbs[NR_WAITING];
	struct pieces pieces = pieces_make(IOV_MAX, 1, false), few = pieces_make(3, 1, false);
	size_t bytes = NR_WAITING / 2 * IOV_MAX * sizeof(struct iovec), size;
	int fds[2];
	pid_t pid;

	open_pipe(fds);
	for (int i = 0; i < NR_WAITING; i++)
		submit_readv(&cbs[i], fds[0], i % 2 ? pieces.entries : few.entries,
			     i % 2 ? pieces.nr : few.nr, 0);
	/* What a thread maps when it begins would count for the child alone. */
	eventually(others_are_asleep());
	size = memory_in_use().mapped;
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check(memory_in_use().mapped <= size - bytes);
		_exit(read_and_write_in_child());
	}
	check_child(pid);
	for (int i = 0; i < NR_WAITING; i++) {
		write_fully(fds[1], "\0", 1);
		check_equal(outcome(&cbs[i]), 1);
	}
	pieces_check(&pieces, 0, 1);
	return 0;
}

TEST_OF_VECTORS(test_fork_amid_vectored_reads, fork_amid_reads, 20000)

/* ---- memory ---- */

static void read_in_turn(int fds[2], const struct pieces *pieces, int nr_reads)
{
	struct aiocb cb;

	for (int i = 0; i < nr_reads; i++) {
		submit_readv(&cb, fds[0], pieces->entries, pieces->nr, 0);
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
	}
}

static void check_steady(int fds[2], const struct pieces *pieces)
{
	enum { NR_READS = 5000, SLACK = 1 << 20 }; /* bytes, of other threads */
	size_t before;

	read_in_turn(fds, pieces, 100);
	before = memory_in_use().resident;
	read_in_turn(fds, pieces, NR_READS);
	check(memory_in_use().resident <= before + SLACK);
}

static int read_very_often(void)
{
	struct pieces few = pieces_make(3, 1, false), many = pieces_make(IOV_MAX, 1, false);
	int fds[2];

	open_pipe(fds);
	check_steady(fds, &few);
	check_steady(fds, &many);
	return 0;
}

static int read_without_memory(void)
{
	struct pieces pieces = pieces_make(IOV_MAX, 1, false);
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	read_in_turn(fds, &pieces, 3);
	set_soft_limit(RLIMIT_AS, memory_in_use().mapped);
	refuse_readv(&cb, fds[0], pieces.entries, pieces.nr, EAGAIN);
	set_soft_limit(RLIMIT_AS, RLIM_INFINITY);
	read_in_turn(fds, &pieces, 3);
	return 0;
}

TEST_OF_VECTORS(test_vector_without_memory_is_refused, read_without_memory, 20000)
TEST_OF_VECTORS(test_vectors_go_with_their_requests, read_very_often, 60000)

/* ---- handlers ---- */

static struct pieces handler_pieces;
static struct aiocb handler_cb;
static int handler_fd;

static void read_in_handler(int signo)
{
	(void)signo;
	aiocb_init(&handler_cb, handler_fd, handler_pieces.entries, handler_pieces.nr, 0);
	check_equal(call_readv(&handler_cb), 0);
}

/* The handler interrupts malloc, or the library. */
static int submit_in_handler(void)
{
	struct pieces pieces = pieces_make(30, 10, false);
	struct aiocb cb;
	int fds[2];

	handler_pieces = pieces_make(20, 10, false);
	handler_fd = temp_file_filled(1000);
	handle_signal(SIGALRM, read_in_handler, 0);
	open_pipe(fds);
	for (int i = 0; i < 300; i++) {
		pieces_clear(&handler_pieces);
		handler_cb.aio_fildes = -1;
		wind_timer(1 + i % 50);
		do {
			free(malloc(1000));
			submit_readv(&cb, fds[0], pieces.entries, pieces.nr, 0);
			write_fully(fds[1], "x", 1);
			check_equal(outcome(&cb), 1);
		} while (*(volatile int *)&handler_cb.aio_fildes == -1);
		check_equal(outcome(&handler_cb), handler_pieces.nbytes);
		pieces_check(&handler_pieces, 0, handler_pieces.nbytes);
	}
	return 0;
}

TEST_OF_VECTORS(test_handler_submits_a_vector, submit_in_handler, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_of_a_read_may_change),
		cmocka_unit_test(test_vector_of_a_write_may_change),
		cmocka_unit_test(test_vector_of_o_direct_may_change),
		cmocka_unit_test(test_vectored_write_to_a_stream_is_whole),
		cmocka_unit_test(test_vectored_write_ends_in_parts_where_writev_does),
		cmocka_unit_test(test_vectored_write_without_threads_is_whole),
		cmocka_unit_test(test_queued_vectored_read_is_cancelled),
		cmocka_unit_test(test_vectored_read_outlives_its_descriptor),
		cmocka_unit_test(test_fork_amid_vectored_reads),
		cmocka_unit_test(test_vector_without_memory_is_refused),
		cmocka_unit_test(test_vectors_go_with_their_requests),
		cmocka_unit_test(test_handler_submits_a_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
