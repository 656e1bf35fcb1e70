// SPDX-License-Identifier: MIT
/*
 * wrong.c - programs that use POSIX AIO wrong on purpose, one for each rule of `rtaio check`
 */
#include "cases.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

static struct pending pending;

/* ---- the aiocb ---- */

static void submitted_again(void)
{
	begin_read(&pending);
	check_equal(aio_read(&pending.cb), 0);
	_exit(0);
}

static void changed(void)
{
	begin_read(&pending);
	pending.cb.aio_reqprio = 1;
	check_equal(aio_error(&pending.cb), EINPROGRESS);
	end_read(&pending);
}

static void changed_unseen(void)
{
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	ask_for_signal(&pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	pending.cb.aio_offset = 5;
	let_end(&pending);
	await_signal();
	check_equal(aio_return(&pending.cb), 8);
}

static void copied(void)
{
	struct aiocb copy;

	begin_read(&pending);
	copy = pending.cb;
	check_equal(aio_error(&copy), EINPROGRESS);
	end_read(&pending);
}

static void freed(void)
{
	struct aiocb *cb = malloc(sizeof(*cb));

	open_pipe(pending.fds);
	submit_read(cb, pending.fds[0], pending.buf, 8, 0);
	free(cb);
	_exit(0);
}

/* ---- the buffer ---- */

static void buffer_freed(void)
{
	char *buf = malloc(100000);

	open_pipe(pending.fds);
	submit_read(&pending.cb, pending.fds[0], buf, 100000, 0);
	free(buf);
	_exit(0);
}

static void buffer_moved(void)
{
	char *buf = malloc(1000), *fence = malloc(1000);

	open_pipe(pending.fds);
	submit_read(&pending.cb, pending.fds[0], buf, 1000, 0);
	buf = realloc(buf, 100000);
	check(buf && fence);
	_exit(0);
}

static char *read_to_page(void)
{
	char *buf =
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(buf != MAP_FAILED);
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], buf, 8, 0);
	ask_for_signal(&pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	return buf;
}

static void buffer_unmapped(void)
{
	munmap(read_to_page(), page_size());
	check_equal(aio_error(&pending.cb), EINPROGRESS);
	_exit(0);
}

static void buffer_unmapped_unseen(void)
{
	munmap(read_to_page(), page_size());
	let_end(&pending);
	await_signal();
	check_equal(aio_error(&pending.cb), EFAULT);
}

FRAME void read_to_stack(void)
{
	char buf[8];

	submit_read(&pending.cb, pending.fds[0], buf, sizeof(buf), 0);
}

static void buffer_on_stack(void)
{
	open_pipe(pending.fds);
	read_to_stack();
	check_equal(aio_error(&pending.cb), EINPROGRESS);
	_exit(0);
}

/* ---- the stack ---- */

FRAME const struct aiocb *read_by_stack(void)
{
	struct aiocb cb;
	const struct aiocb *volatile address = &cb;

	submit_read(&cb, pending.fds[0], pending.buf, 8, 0);
	return address;
}

static void aiocb_on_stack(void)
{
	const struct aiocb *cb;

	open_pipe(pending.fds);
	cb = read_by_stack();
	aio_error(cb); /* others have written there meanwhile */
	_exit(0);
}

FRAME void submit_list_on_stack(void)
{
	struct aiocb *list[1] = { &pending.cb };

	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
}

static void list_on_stack(void)
{
	open_pipe(pending.fds);
	aiocb_init_lio(&pending.cb, LIO_READ, pending.fds[0], pending.buf, 8, 0);
	submit_list_on_stack();
	check_equal(aio_error(&pending.cb), EINPROGRESS);
	end_read(&pending);
}

static void *read_by_thread(void *arg)
{
	struct aiocb *cb = malloc(sizeof(*cb)); /* nothing is written to the dead stack */
	char *buf = alloca(8);

	(void)arg;
	aiocb_init(cb, pending.fds[0], buf, 8, 0);
	ask_for_signal(cb);
	check_equal(aio_read(cb), 0);
	return cb;
}

static void stack_of_thread(void)
{
	pthread_t thread;
	void *cb;

	open_pipe(pending.fds);
	change_mask(SIG_BLOCK, END_SIGNAL);
	check_equal(pthread_create(&thread, NULL, read_by_thread, NULL), 0);
	check_equal(pthread_join(thread, &cb), 0);
	let_end(&pending);
	await_signal();
	check_equal(aio_error(cb), 0);
	check_equal(aio_return(cb), 8);
}

/* ---- results ---- */

static void returned_early(void)
{
	begin_read(&pending);
	aio_return(&pending.cb);
	end_read(&pending);
}

static void returned_twice(void)
{
	begin_read(&pending);
	end_read(&pending);
	aio_return(&pending.cb);
}

static void await_error(const struct aiocb *cb)
{
	eventually(aio_error(cb) == 0);
}

static void never_returned(void)
{
	begin_read(&pending);
	let_end(&pending);
	await_error(&pending.cb);
	submit_read(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	end_read(&pending);
}

static void never_returned_at_exit(void)
{
	begin_read(&pending);
	let_end(&pending);
	await_error(&pending.cb);
	outlast_patience();
	check_equal(aio_error(&pending.cb), 0);
}

static void read_with_signal(void)
{
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	ask_for_signal(&pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	let_end(&pending);
	await_signal();
}

static void result_ignored(void)
{
	open_pipe(pending.fds);
	read_with_signal();
	submit_read(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	end_read(&pending);
}

static void result_ignored_at_exit(void)
{
	struct pending other;

	open_pipe(pending.fds);
	read_with_signal();
	outlast_patience();
	begin_read(&other);
	end_read(&other);
}

/* ---- files ---- */

static void overlapping_writes(void)
{
	int fd = temp_file(0);
	char data[200] = { 0 };
	struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };

	aiocb_init_lio(&cbs[0], LIO_WRITE, fd, data, 150, 0);
	aiocb_init_lio(&cbs[1], LIO_WRITE, fd, data, 100, 100);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), 0);
	close(fd);
}

static void offset_on_stream(void)
{
	open_pipe(pending.fds);
	submit_read(&pending.cb, pending.fds[0], pending.buf, 8, 4096);
	end_read(&pending);
}

static void closed(void)
{
	begin_read(&pending);
	close(pending.fds[0]);
	_exit(0);
}

/* ---- notification ---- */

static sem_t has_begun;

static void block_for_ever(union sigval value)
{
	(void)value;
	sem_post(&has_begun);
	for (;;)
		pause();
}

static void callback_blocks(void)
{
	char buf[8];
	int fd = temp_file_filled(8);

	open_pipe(pending.fds);
	aiocb_init(&pending.cb, fd, buf, 8, 0);
	notify_by_thread(&pending.cb.aio_sigevent, block_for_ever, NULL);
	check_equal(aio_read(&pending.cb), 0);
	await_semaphore(&has_begun);
	check_equal(await_result(&pending.cb), 8);
	outlast_patience();
}

static void submit_in_handler(int signo)
{
	volatile int ret = aio_read(&pending.cb); /* no jump instead of a call */

	(void)signo;
	(void)ret;
}

static ssize_t raise_in_write(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	(void)text;
	raise(SIGUSR2);
	return (ssize_t)size;
}

/* The handler interrupts fflush(). */
static void unsafe_in_handler(void)
{
	FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = raise_in_write });

	signal(SIGUSR2, submit_in_handler);
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	fputs("text", out);
	fflush(out);
	end_read(&pending);
}

/* ---- processes ---- */

static int wrong_in_child(void)
{
	submitted_again();
	return 0;
}

static void child(void)
{
	begin_read(&pending);
	in_child(wrong_in_child, 5000);
	end_read(&pending);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		{ "submitted-again", submitted_again },
		{ "changed-in-flight", changed },
		{ "changed-in-flight:unseen", changed_unseen },
		{ "copied-in-flight", copied },
		{ "freed-in-flight", freed },
		{ "buffer-freed", buffer_freed },
		{ "buffer-freed:moved", buffer_moved },
		{ "buffer-freed:unmapped", buffer_unmapped },
		{ "buffer-freed:unseen", buffer_unmapped_unseen },
		{ "buffer-on-dead-stack", buffer_on_stack },
		{ "aiocb-on-dead-stack", aiocb_on_stack },
		{ "list-on-dead-stack", list_on_stack },
		{ "buffer-on-dead-stack:thread", stack_of_thread },
		{ "returned-early", returned_early },
		{ "returned-twice", returned_twice },
		{ "never-returned", never_returned },
		{ "never-returned:exit", never_returned_at_exit },
		{ "result-ignored", result_ignored },
		{ "result-ignored:exit", result_ignored_at_exit },
		{ "overlapping-writes", overlapping_writes },
		{ "offset-on-stream", offset_on_stream },
		{ "closed-in-flight", closed },
		{ "callback-blocks", callback_blocks },
		{ "unsafe-in-signal-handler", unsafe_in_handler },
		{ "submitted-again:child", child },
	};

	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
