// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete_requests.c - aio_waitcomplete() collects requests of every kind, and each of
 * them once
 */
#include "waitcomplete.h"

#include <sys/socket.h>

#define LONG_SIZE (1 << 20)

/* ---- one request for each lane of the library ---- */

struct use {
	struct aiocb cb;
	char *buf; /* LONG_SIZE bytes, aligned for O_DIRECT */
	int fds[2];
};

typedef void lane_fn(struct use *use);

static void read_cached(struct use *use)
{
	read_byte(&use->cb);
}

static void read_direct(struct use *use)
{
	int fd = direct_file(4096, 0);

	if (fd < 0)
		fd = temp_file_filled(4096);
	submit_read(&use->cb, fd, use->buf, 4096, 0);
}

static void read_cold(struct use *use)
{
	int fd = temp_file_filled(8192);

	evict(fd);
	submit_read(&use->cb, fd, use->buf, 4096, 4096);
}

static void read_long(struct use *use)
{
	submit_read(&use->cb, temp_file_filled(LONG_SIZE), use->buf, LONG_SIZE, 0);
}

static void write_long(struct use *use)
{
	submit_write(&use->cb, temp_file(0), use->buf, LONG_SIZE, 0);
}

static void append(struct use *use)
{
	submit_write(&use->cb, temp_file(O_APPEND), use->buf, 100, 0);
}

static void sync_file(struct use *use)
{
	int fd = temp_file_filled(4096);

	aiocb_init(&use->cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &use->cb), 0);
}

static void read_pipe(struct use *use)
{
	open_pipe(use->fds);
	submit_read(&use->cb, use->fds[0], use->buf, 10, 0);
	write_fully(use->fds[1], "0123456789", 10);
}

static void write_pipe(struct use *use)
{
	open_pipe(use->fds);
	submit_write(&use->cb, use->fds[1], use->buf, 10, 0);
}

static void write_full_pipe(struct use *use)
{
	size_t size;

	open_pipe(use->fds);
	size = fill_up(use->fds[1]);
	submit_write(&use->cb, use->fds[1], use->buf, 10, 0);
	read_fully(use->fds[0], NULL, size);
}

static void read_socket(struct use *use)
{
	open_socketpair(use->fds, SOCK_STREAM);
	submit_read(&use->cb, use->fds[0], use->buf, 10, 0);
	write_fully(use->fds[1], "0123456789", 10);
}

static void write_socket(struct use *use)
{
	open_socketpair(use->fds, SOCK_STREAM);
	submit_write(&use->cb, use->fds[0], use->buf, 10, 0);
}

static const struct lane {
	lane_fn *submit;
	ssize_t res;
} all_lanes[] = {
	{ read_cached, 1 },       { read_direct, 4096 },     { read_cold, 4096 },
	{ read_long, LONG_SIZE }, { write_long, LONG_SIZE }, { append, 100 },
	{ sync_file, 0 },         { read_pipe, 10 },         { write_pipe, 10 },
	{ write_full_pipe, 10 },  { read_socket, 10 },       { write_socket, 10 },
};

#define NR_LANES (sizeof(all_lanes) / sizeof(*all_lanes))

static struct use uses[NR_LANES];

static void submit_to(size_t i)
{
	uses[i].buf = direct_buffer(LONG_SIZE);
	all_lanes[i].submit(&uses[i]);
}

static int each_lane(void)
{
	check_nothing_left();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NR_LANES; i++) {
			submit_to(i);
			check_equal(collect_this(&uses[i].cb), all_lanes[i].res);
			check_nothing_left();
		}
	}
	return 0;
}

static int each_lane_wakes(void)
{
	struct waiter waiter;

	for (size_t i = 0; i < NR_LANES; i++) {
		begin_wait(&waiter);
		submit_to(i);
		check_equal(end_wait(&waiter, &uses[i].cb), all_lanes[i].res);
		check_nothing_left();
	}
	return 0;
}

static int all_lanes_together(void)
{
	bool is_seen[NR_LANES] = { false };
	ssize_t res;

	check_nothing_left();
	for (size_t i = 0; i < NR_LANES; i++)
		submit_to(i);
	for (size_t i = 0; i < NR_LANES; i++) {
		size_t found = 0;
		struct aiocb *cb = collect_next(&res);

		while (found < NR_LANES && cb != &uses[found].cb)
			found++;
		check(found < NR_LANES && !is_seen[found]);
		is_seen[found] = true;
		check_equal(res, all_lanes[found].res);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_request_of_each_lane_is_collected, each_lane, 60000)
TEST_WAITCOMPLETE(test_request_of_each_lane_wakes_who_waits_already, each_lane_wakes, 60000)
TEST_WAITCOMPLETE(test_requests_of_all_lanes_are_collected_once, all_lanes_together, 60000)

/* ---- lists ---- */

#define NR_ENTRIES 40

static void check_list(int mode, int fd)
{
	static struct aiocb cbs[NR_ENTRIES], *list[NR_ENTRIES];
	static char buf[NR_ENTRIES][64];
	bool is_seen[NR_ENTRIES] = { false };
	ssize_t res;

	for (int i = 0; i < NR_ENTRIES; i++) {
		aiocb_init_lio(&cbs[i], i % 8 == 7 ? LIO_NOP : LIO_READ, fd, buf[i], 64, i * 64);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(mode, list, NR_ENTRIES, NULL), 0);
	for (int i = 0; i < NR_ENTRIES - NR_ENTRIES / 8; i++) {
		const struct aiocb *cb = collect_next(&res);

		check(cb >= cbs && cb < cbs + NR_ENTRIES);
		check(!is_seen[cb - cbs] && (cb - cbs) % 8 != 7);
		is_seen[cb - cbs] = true;
		check_equal(res, 64);
		check_pattern(buf[cb - cbs], (size_t)(cb - cbs) * 64, 64);
	}
	check_nothing_left();
}

static int lists(void)
{
	int fd = temp_file_filled(NR_ENTRIES * 64);

	check_nothing_left();
	/* Many rounds: after some thousand reads the library may read lists in another way. */
	for (int round = 0; round < 200; round++) {
		if (round < 20 && round % 5 == 4)
			evict(fd);
		check_list(round % 2 ? LIO_WAIT : LIO_NOWAIT, fd);
	}
	return 0;
}

TEST_WAITCOMPLETE(test_entries_of_lists_are_collected, lists, 30000)

/* ---- requests that fail ---- */

static int failures(void)
{
	static struct aiocb cb;
	static char byte;
	int fds[2], directory = open(temp_dir(), O_RDONLY | O_DIRECTORY);

	check_nothing_left();
	open_pipe(fds);
	submit_read(&cb, fds[1], &byte, 1, 0);
	check_equal(collect_this(&cb), -EBADF);
	submit_read(&cb, 1000000, &byte, 1, 0);
	check_equal(collect_this(&cb), -EBADF);
	submit_read(&cb, temp_file_filled(10), (void *)1, 10, 0);
	check_equal(collect_this(&cb), -EFAULT);
	submit_read(&cb, directory, &byte, 1, 0);
	check_equal(collect_this(&cb), -EISDIR);
	submit_read(&cb, temp_file_filled(10), &byte, 1, -1);
	check_equal(collect_this(&cb), -EINVAL);
	check_nothing_left();
	return 0;
}

static int refusals(void)
{
	static struct aiocb cb, *list[] = { &cb };
	static char byte;
	int fd = temp_file_filled(10);

	check_nothing_left();
	aiocb_init(&cb, fd, &byte, 1, 0);
	cb.aio_reqprio = -1;
	check_equal(aio_read(&cb), -1);
	aiocb_init(&cb, 1000000, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), -1);
	check_equal(aio_fsync(12345, &cb), -1);
	aiocb_init_lio(&cb, LIO_READ, fd, &byte, 1, 0);
	cb.aio_reqprio = -1;
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), -1);
	check_nothing_left();
	return 0;
}

static int cancelled(void)
{
	static struct aiocb cbs[3];
	static char buf[3];
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	check_equal(collect_this(&cbs[1]), -ECANCELED);
	check_equal(aio_cancel(fds[0], &cbs[2]), AIO_CANCELED);
	check_equal(collect_this(&cbs[2]), -ECANCELED);
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cbs[0]), 1);
	check_nothing_left();
	return 0;
}

/* close() cancels the reads, but for the first one if that has begun. */
static int closed(void)
{
	static struct aiocb cbs[3];
	static char buf[3];
	bool is_seen[3] = { false };
	int fds[2];

	check_nothing_left();
	signal(SIGPIPE, SIG_IGN);
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	close(fds[0]);
	for (int i = 0; i < 3; i++) {
		const struct aiocb *cb;
		ssize_t res;

		if (i == 2)
			(void)!write(fds[1], "x", 1);
		cb = collect_next(&res);
		check(cb >= cbs && cb < cbs + 3 && !is_seen[cb - cbs]);
		is_seen[cb - cbs] = true;
		check(res == -ECANCELED || (cb == &cbs[0] && res == 1));
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_failed_request_is_collected_with_its_error, failures, 20000)
TEST_WAITCOMPLETE(test_refused_request_is_not_collected, refusals, 20000)
TEST_WAITCOMPLETE(test_cancelled_request_is_collected, cancelled, 20000)
TEST_WAITCOMPLETE(test_requests_of_a_closed_descriptor_are_collected, closed, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_of_each_lane_is_collected),
		cmocka_unit_test(test_request_of_each_lane_wakes_who_waits_already),
		cmocka_unit_test(test_requests_of_all_lanes_are_collected_once),
		cmocka_unit_test(test_entries_of_lists_are_collected),
		cmocka_unit_test(test_failed_request_is_collected_with_its_error),
		cmocka_unit_test(test_refused_request_is_not_collected),
		cmocka_unit_test(test_cancelled_request_is_collected),
		cmocka_unit_test(test_requests_of_a_closed_descriptor_are_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
