// SPDX-License-Identifier: MIT
/*
 * right.c - programs that use POSIX AIO as they may, though it looks like a mistake
 */
#include "cases.h"
#include "../support/vectors.h"

#include <sys/mman.h>
#include <sys/wait.h>

static struct pending pending;

/* ---- memory ---- */

static void one_aiocb_for_many(void)
{
	for (int i = 0; i < 3; i++) {
		begin_read(&pending);
		end_read(&pending);
	}
}

static void fields_set_after_the_end(void)
{
	begin_read(&pending);
	end_read(&pending);
	memset(&pending.cb, 0xff, sizeof(pending.cb));
	memset(pending.buf, 0, sizeof(pending.buf));
	begin_read(&pending);
	end_read(&pending);
}

FRAME void submit_for(struct aiocb *cb, char *buf)
{
	submit_read(cb, pending.fds[0], buf, 8, 0);
}

FRAME void poll_for(struct aiocb *cb)
{
	volatile char frame[4096];

	memset((char *)frame, 1, sizeof(frame));
	check_equal(aio_error(cb), EINPROGRESS);
}

static void aiocb_of_a_caller(void)
{
	struct aiocb cb;
	char buf[8];

	open_pipe(pending.fds);
	submit_for(&cb, buf);
	poll_for(&cb);
	let_end(&pending);
	check_equal(await_result(&cb), 8);
}

FRAME void read_and_wait(int depth, int requests)
{
	struct pending own;
	bool reads = depth < requests;

	if (reads)
		begin_read(&own);
	if (depth > 0)
		read_and_wait(depth - 1, requests);
	if (reads)
		end_read(&own);
}

static void wait_where_it_was_submitted(void)
{
	for (int i = 0; i < 5; i++)
		read_and_wait(i, 5);
	read_and_wait(100, 5); /* deeper than stacks are looked at */
}

static void freed_after_the_end(void)
{
	struct aiocb *cb = malloc(sizeof(*cb));
	char *buf = malloc(100000), *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	open_pipe(pending.fds);
	submit_read(cb, pending.fds[0], buf, 100000, 0);
	let_end(&pending);
	check_equal(await_result(cb), 8);
	submit_read(cb, pending.fds[0], page, page_size(), 0);
	let_end(&pending);
	check_equal(await_result(cb), 8);
	free(buf);
	munmap(page, page_size());
	free(cb);
}

static void realloc_that_keeps_the_block(void)
{
	char *buf = malloc(100000), *same, *other = malloc(16);

	open_pipe(pending.fds);
	submit_read(&pending.cb, pending.fds[0], buf, 1000, 0);
	free(other);
	same = realloc(buf, 99000);
	check(same == buf);
	let_end(&pending);
	check_equal(await_result(&pending.cb), 8);
}

/* ---- results ---- */

static void cancelled_and_left(void)
{
	begin_read(&pending);
	check(aio_cancel(pending.fds[0], &pending.cb) != -1);
	let_end(&pending); /* for glibc, which cannot cancel it */
	eventually(aio_error(&pending.cb) != EINPROGRESS);
	close_pair(pending.fds);
	begin_read(&pending);
	end_read(&pending);
}

static void all_cancelled_and_left(void)
{
	begin_read(&pending);
	check(aio_cancel(pending.fds[0], NULL) != -1);
	let_end(&pending);
	eventually(aio_error(&pending.cb) != EINPROGRESS);
}

static void cancelled_and_closed(void)
{
	begin_read(&pending);
	check(aio_cancel(pending.fds[0], NULL) != -1);
	close(pending.fds[0]);
	_exit(0);
}

static void list_that_waits(void)
{
	int fd = temp_file_filled(1000);
	char bufs[2][500];
	struct aiocb cbs[2], *list[3] = { &cbs[0], NULL, &cbs[1] };

	for (int i = 0; i < 3; i++) {
		aiocb_init_lio(&cbs[0], LIO_READ, fd, bufs[0], 500, 0);
		aiocb_init_lio(&cbs[1], LIO_READ, fd, bufs[1], 500, 500);
		check_equal(lio_listio(LIO_WAIT, list, 3, NULL), 0);
	}
	close(fd);
}

static void list_that_is_refused(void)
{
	struct aiocb cb, *list[1] = { &cb };
	char buf[8];

	for (int i = 0; i < 2; i++) {
		aiocb_init_lio(&cb, LIO_READ, -1, buf, 8, 0);
		check_equal(lio_listio(LIO_WAIT, list, 1, NULL), -1);
		check_equal(errno, EIO);
		check_equal(aio_error(&cb), EBADF);
		aiocb_init_lio(&cb, LIO_READ, -1, buf, 8, 0);
		cb.aio_reqprio = -1;
		check_equal(lio_listio(LIO_WAIT, list, 1, NULL), -1);
	}
}

static void failed_and_collected(void)
{
	char buf[8];

	check_read_fails(-1, buf, 8, 0, EBADF);
	aiocb_init(&pending.cb, -1, buf, 8, 0);
	pending.cb.aio_reqprio = -1;
	check_equal(aio_read(&pending.cb), -1);
	aio_return(&pending.cb);
	check_equal(aio_read(&pending.cb), -1);
}

static void suspended_then_collected(void)
{
	const struct aiocb *list[1] = { &pending.cb };

	begin_read(&pending);
	let_end(&pending);
	check_equal(aio_suspend(list, 1, NULL), 0);
	check_equal(aio_return(&pending.cb), 8);
}

static void only_syncs(void)
{
	int fd = temp_file_filled(100);
	struct aiocb cb;

	for (int i = 0; i < 3; i++) {
		aiocb_init(&cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &cb), 0);
		eventually(aio_error(&cb) == 0);
	}
	close(fd);
}

static void ends_with_requests_in_flight(void)
{
	struct pending others[3];

	for (int i = 0; i < 3; i++)
		begin_read(&others[i]);
	begin_read(&pending);
	end_read(&pending);
	_exit(0);
}

/* The signal says that the request has ended, though not how. */
static void ends_when_told(void)
{
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	ask_for_signal(&pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	let_end(&pending);
	await_signal();
	_exit(0);
}

static void use_the_stack(void)
{
	volatile char frame[65536];

	memset((char *)frame, 1, sizeof(frame));
}

/* A reader that ends early leaves what it has read ahead. */
static void reads_ahead(void)
{
	int fd = temp_file_filled(8);
	struct aiocb cb;
	char buf[8];

	submit_read(&cb, fd, buf, sizeof(buf), 0);
	outlast_patience();
	begin_read(&pending);
	end_read(&pending);
}

/* Memory of main is others' from then on, and requests end, but the process does, too. */
static void returns_from_main(void)
{
	atexit(use_the_stack);
	begin_read(&pending);
}

/* ---- files ---- */

static void appending_writes(void)
{
	int fd = temp_file(O_APPEND);
	char data[100] = { 0 };
	struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };

	for (int i = 0; i < 2; i++)
		aiocb_init_lio(&cbs[i], LIO_WRITE, fd, data, sizeof(data), 0);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), 0);
	close(fd);
}

static void writes_side_by_side(void)
{
	int fds[2] = { temp_file(0), temp_file(0) };
	char data[100] = { 0 };
	struct aiocb cbs[3], *list[3] = { &cbs[0], &cbs[1], &cbs[2] };

	aiocb_init_lio(&cbs[0], LIO_WRITE, fds[0], data, sizeof(data), 0);
	aiocb_init_lio(&cbs[1], LIO_WRITE, fds[0], data, sizeof(data), sizeof(data));
	aiocb_init_lio(&cbs[2], LIO_WRITE, fds[1], data, sizeof(data), 0);
	check_equal(lio_listio(LIO_WAIT, list, 3, NULL), 0);
	check_equal(write_now(fds[0], data, sizeof(data), 50), sizeof(data));
}

static void closed_after_the_end(void)
{
	int other[2];

	begin_read(&pending);
	open_pipe(other);
	close(other[0]);
	dup2(pending.fds[0], other[0]);
	close_pair(other);
	end_read(&pending);
}

static void dup2_that_fails(void)
{
	begin_read(&pending);
	check_equal(dup2(999, pending.fds[0]), -1);
	check_equal(dup2(pending.fds[0], pending.fds[0]), pending.fds[0]);
	end_read(&pending);
}

/* A vector is the program's again when the call has returned; glibc has none. */
FRAME void submit_vector(struct pending *vectored)
{
	char frame[4 * 4096]; /* deeper than what is called next */
	struct iovec *vector = (struct iovec *)(void *)frame;

	vector[0] = (struct iovec){ vectored->buf, 3 };
	vector[1] = (struct iovec){ vectored->buf + 3, 5 };
	open_pipe(vectored->fds);
	if (has_vectors()) {
		aiocb_init(&vectored->cb, vectored->fds[0], vector, 2, 0);
		if (call_readv(&vectored->cb) == 0)
			return;
		check_equal(errno, ENOSYS);
	}
	submit_read(&vectored->cb, vectored->fds[0], vectored->buf, 8, 0);
}

static void vector_on_a_stack_that_is_gone(void)
{
	submit_vector(&pending);
	poll_for(&pending.cb);
	end_read(&pending);
}

/* The library refuses too many entries; with glibc behind it, it refuses the call. */
static bool vectors_are_served(void)
{
	struct aiocb cb;

	if (!has_vectors())
		return false;
	aiocb_init(&cb, 0, NULL, IOV_MAX + 1, 0);
	check(call_readv(&cb) < 0);
	return errno != ENOSYS;
}

static void vectors_in_a_list(void)
{
	struct iovec *vector =
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aiocb *list[] = { &pending.cb };

	check(vector != MAP_FAILED);
	begin_read(&pending);
	end_read(&pending);
	open_pipe(pending.fds);
	*vector = (struct iovec){ pending.buf, sizeof(pending.buf) };
	aiocb_init_lio(&pending.cb, LIO_READV, pending.fds[0], vector, 1, 0);
	if (!vectors_are_served())
		return;
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
	check_equal(munmap(vector, page_size()), 0);
	poll_for(&pending.cb);
	end_read(&pending);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		{ "one-aiocb-for-many", one_aiocb_for_many },
		{ "fields-set-after-the-end", fields_set_after_the_end },
		{ "aiocb-of-a-caller", aiocb_of_a_caller },
		{ "wait-where-it-was-submitted", wait_where_it_was_submitted },
		{ "freed-after-the-end", freed_after_the_end },
		{ "realloc-that-keeps-the-block", realloc_that_keeps_the_block },
		{ "cancelled-and-left", cancelled_and_left },
		{ "all-cancelled-and-left", all_cancelled_and_left },
		{ "cancelled-and-closed", cancelled_and_closed },
		{ "list-that-waits", list_that_waits },
		{ "list-that-is-refused", list_that_is_refused },
		{ "failed-and-collected", failed_and_collected },
		{ "suspended-then-collected", suspended_then_collected },
		{ "only-syncs", only_syncs },
		{ "ends-with-requests-in-flight", ends_with_requests_in_flight },
		{ "ends-when-told", ends_when_told },
		{ "reads-ahead", reads_ahead },
		{ "returns-from-main", returns_from_main },
		{ "appending-writes", appending_writes },
		{ "writes-side-by-side", writes_side_by_side },
		{ "closed-after-the-end", closed_after_the_end },
		{ "dup2-that-fails", dup2_that_fails },
		{ "vector-on-a-stack-that-is-gone", vector_on_a_stack_that_is_gone },
		{ "vectors-in-a-list", vectors_in_a_list },
	};

	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
