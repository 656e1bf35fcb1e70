// SPDX-License-Identifier: MIT
/*
 * program.c - POSIX AIO in a loop, and in the handler that interrupts it
 *
 * The handler asks for the requests that it may have interrupted, waits a moment, and submits,
 * cancels and waits for requests of its own.
 */
#include "program.h"

#include "transparency.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <ucontext.h>

#define NR_BLOCKED 2

struct shared *shared;

static struct aiocb current, blocked[NR_BLOCKED], own;
static int own_fd, own_pipe[2];
static char own_buf[64];

/* With errors of its own: an interrupted check of the program may be half done. */
static void demand(bool condition, int line)
{
	static const char text[] = "interrupted: a check in the handler failed\n";

	if (condition)
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(3);
	_exit(line % 100 + 100);
}
#define DEMAND(condition) demand((condition), __LINE__)

static void look(void)
{
	struct timespec at_once = { 0 };
	const struct aiocb *list[NR_BLOCKED + 1] = { &blocked[0], &blocked[1], &current };

	DEMAND(aio_error(&blocked[0]) == EINPROGRESS);
	DEMAND(aio_suspend(list, NR_BLOCKED, &at_once) == -1 &&
	       (errno == EAGAIN || errno == EINTR));
	aio_error(&current);
	aio_suspend(list, NR_BLOCKED + 1, &at_once);
}

static void wait_for_own(ssize_t expected)
{
	const struct aiocb *list[] = { &own };

	while (aio_error(&own) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	DEMAND(aio_error(&own) == 0 && aio_return(&own) == expected);
}

static void prepare_own(int fd, size_t size)
{
	memset(&own, 0, sizeof(own));
	own.aio_fildes = fd;
	own.aio_buf = own_buf;
	own.aio_nbytes = size;
	own.aio_sigevent.sigev_notify = SIGEV_NONE;
}

static void submit_own(void)
{
	int rc;

	prepare_own(own_fd, sizeof(own_buf));
	DEMAND(aio_write(&own) == 0);
	wait_for_own(sizeof(own_buf));
	prepare_own(own_pipe[0], 1);
	DEMAND(aio_read(&own) == 0);
	rc = aio_cancel(own_pipe[0], &own);
	DEMAND(rc == AIO_CANCELED || rc == AIO_NOTCANCELED);
	if (rc == AIO_CANCELED) {
		DEMAND(aio_error(&own) == ECANCELED && aio_return(&own) == -1);
		return;
	}
	DEMAND(write(own_pipe[1], "x", 1) == 1);
	wait_for_own(1);
}

static bool is_traced;

static void trap(void)
{
#ifdef __x86_64__
	__asm__ volatile("int3");
#endif
}

static unsigned long interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (unsigned long)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return context->uc_mcontext.pc;
#elif defined(__riscv)
	return context->uc_mcontext.__gregs[REG_PC];
#else
	(void)context;
	return 0;
#endif
}

static void handle(int signo, siginfo_t *info, void *context)
{
	unsigned long at = interrupted_at(context);
	int error = errno;

	(void)signo;
	(void)info;
	look();
	if (shared->nr_handled % 4 == 0)
		submit_own();
	shared->nr_inside += at >= shared->begin_text && at < shared->end_text;
	shared->nr_handled++;
	errno = error;
	if (is_traced)
		trap(); /* back to single steps */
}

struct files {
	int buffered, direct, fds[2];
	char *buf;
};

static void finish(ssize_t expected)
{
	const struct aiocb *list[] = { &current };

	while (aio_error(&current) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	check_equal(aio_return(&current), expected);
}

static void use_file(int fd, char *buf)
{
	struct aiocb *list[] = { &current };

	submit_read(&current, fd, buf, 4096, 4096);
	finish(4096);
	submit_write(&current, fd, buf, 4096, 4096);
	finish(4096);
	aiocb_init_lio(&current, LIO_READ, fd, buf, 4096, 8192);
	check(lio_listio(LIO_WAIT, list, 1, NULL) == 0 || errno == EINTR);
	finish(4096);
	aiocb_init(&current, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &current), 0);
	finish(0);
}

static void do_round(struct files *files)
{
	int fd, rc;

	shared->part = 1;
	use_file(files->buffered, files->buf);
	shared->part = 2;
	use_file(files->direct, files->buf);
	shared->part = 3;
	submit_read(&current, files->fds[0], files->buf, 1, 0);
	rc = aio_cancel(files->fds[0], &current);
	if (rc != AIO_CANCELED) {
		check_equal(write(files->fds[1], "x", 1), 1);
		finish(1);
	} else {
		check_equal(aio_return(&current), -1);
	}
	shared->part = 4;
	fd = reopen(files->buffered, O_RDONLY);
	submit_read(&current, fd, files->buf, 4096, 0);
	check_equal(close(fd), 0);
	while (aio_error(&current) == EINPROGRESS)
		;
	aio_return(&current);
	shared->nr_rounds++;
}

static _Noreturn void run(void)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };
	struct files files;
	int quiet[2];

	files.buffered = temp_file_filled(65536);
	files.direct = direct_file(65536, 0);
	if (files.direct < 0)
		files.direct = reopen(files.buffered, O_RDWR);
	files.buf = direct_buffer(65536);
	own_fd = temp_file(0);
	open_pipe(files.fds);
	open_pipe(own_pipe);
	open_pipe(quiet);
	for (int i = 0; i < NR_BLOCKED; i++)
		submit_read(&blocked[i], quiet[0], files.buf + 60000 + i, 1, 0);
	check_equal(sigaction(SIGUSR1, &action, NULL), 0);
	do_round(&files);
	if (is_traced)
		check_equal(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	raise(SIGSTOP);
	for (;;)
		do_round(&files);
}

/* ---- the process that interrupts it ---- */

static void find_text(const char *object)
{
	char *line = NULL, rights[8];
	size_t size = 0;
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && getline(&line, &size, file) > 0)
		if (strstr(line, object) &&
		    sscanf(line, "%lx-%lx %7s", &shared->begin_text, &shared->end_text, rights) ==
			    3 &&
		    strchr(rights, 'x'))
			break;
		else
			shared->end_text = 0;
	if (file)
		fclose(file);
	free(line);
}

pid_t start_program(const char *object, bool is_stepped)
{
	pid_t pid;

	is_traced = is_stepped;
	temp_dir(); /* made here, so that they are removed */
	direct_dir();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED);
	find_text(object);
	pid = fork();
	if (pid == 0)
		run();
	return pid;
}

void print_failure(const char *what)
{
	printf("FAIL %s in part %d after %ld signals\n", what, shared->part, shared->nr_handled);
}
