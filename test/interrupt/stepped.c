// SPDX-License-Identifier: MIT
/*
 * stepped.c - a signal at every instruction of the library
 *
 *   stepped TIMES [NAME]
 *
 * A child uses POSIX AIO.  This process steps through it, instruction by instruction, and
 * at those that are in the library (or in the object whose path has NAME in it) lets a
 * signal come.  Its handler asks for the requests that it may have interrupted, waits a
 * moment, and submits, cancels and waits for requests of its own.  The positions at which
 * signals come move from one round of the child to the next, until TIMES have come.
 *
 * The last line is "N passed, N failed, N skipped": a test is a thousand signals.
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define NR_BLOCKED  2
#define SIGNALS_MAX 2000 /* in a round */
#define STRIDE_MIN  37   /* and at most twice that */
#define LIMIT_S     20   /* so long nothing may come to a stop */

#ifndef __x86_64__
int main(void)
{
	printf("# skipped: it knows the registers of 64-bit x86 alone\n"
	       "0 passed, 0 failed, 1 skipped\n");
	return 0;
}
#else

/* ---- the child ---- */

static struct shared {
	_Atomic long nr_rounds, nr_handled;
	_Atomic int part; /* of the round */
} * shared;

static struct aiocb current, blocked[NR_BLOCKED], own;
static int own_fd, own_pipe[2];
static char own_buf[64];

/* With errors of its own: an interrupted check of the program may be half done. */
static void demand(bool condition, int line)
{
	static const char text[] = "stepped: a check in the handler failed\n";

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

static void handle(int signo)
{
	int error = errno;

	(void)signo;
	look();
	if (shared->nr_handled % 4 == 0)
		submit_own();
	shared->nr_handled++;
	errno = error;
	__asm__ volatile("int3"); /* back to single steps */
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
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
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

static _Noreturn void run_child(void)
{
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
	handle_signal(SIGUSR1, handle, 0);
	do_round(&files);
	check_equal(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	raise(SIGSTOP);
	for (;;)
		do_round(&files);
}

/* ---- the process that steps ---- */

static unsigned long begin_text, end_text;

static bool find_text(pid_t pid, const char *name)
{
	char path[64], *line = NULL, rights[8];
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "r");
	while (file && getline(&line, &size, file) > 0)
		if (strstr(line, name) &&
		    sscanf(line, "%lx-%lx %7s", &begin_text, &end_text, rights) == 3 &&
		    strchr(rights, 'x'))
			break;
		else
			end_text = 0;
	if (file)
		fclose(file);
	free(line);
	return end_text > 0;
}

static unsigned long position(pid_t pid)
{
	return (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip),
				     NULL);
}

static void give_up(int signo)
{
	(void)signo;
}

/* The signal that the child stopped with; 0: it has ended, or does not stop. */
static int wait_for_stop(pid_t pid, int *status)
{
	alarm(LIMIT_S);
	if (waitpid(pid, status, 0) != pid) {
		printf("FAIL hangs in part %d after %ld signals\n", shared->part,
		       shared->nr_handled);
		return 0;
	}
	alarm(0);
	if (WIFSTOPPED(*status))
		return WSTOPSIG(*status);
	printf("FAIL ended with status %#x in part %d after %ld signals\n", (unsigned int)*status,
	       shared->part, shared->nr_handled);
	return 0;
}

/*
 * One round has some ten thousand steps.  Every stride-th gets a signal, and the stride
 * changes, so that in the end each has had one.  With a shorter stride a lock-free loop
 * would never come through: each turn of it would be disturbed by a handler.
 */
static bool step_through(pid_t pid, long times)
{
	long nr_steps = 0, stride = STRIDE_MIN;
	int status, signo = wait_for_stop(pid, &status);

	while (signo && shared->nr_handled < times) {
		unsigned long at = position(pid);
		bool is_due = at >= begin_text && at < end_text && ++nr_steps % stride == 0;

		/* One that was blocked when it was sent comes now. */
		is_due |= signo == SIGUSR1;
		if (signo != SIGTRAP && signo != SIGSTOP && signo != SIGUSR1) {
			printf("FAIL stopped by signal %d at %#lx\n", signo, at - begin_text);
			return false;
		}
		if (is_due)
			stride = STRIDE_MIN + nr_steps % STRIDE_MIN;
		ptrace(PTRACE_SINGLESTEP, pid, NULL, is_due ? SIGUSR1 : 0);
		signo = wait_for_stop(pid, &status);
		if (is_due && signo == SIGTRAP) {
			/* At the handler's first instruction: run to its last. */
			ptrace(PTRACE_CONT, pid, NULL, 0);
			signo = wait_for_stop(pid, &status);
		}
	}
	return signo != 0;
}

int main(int argc, char **argv)
{
	long times = argc > 1 ? atol(argv[1]) : 0;
	const char *name = argc > 2 ? argv[2] : "librtaio";
	struct sigaction action = { .sa_handler = give_up };
	bool is_right;
	pid_t pid;

	if (times <= 0) {
		fprintf(stderr, "usage: stepped TIMES [NAME]\n");
		return 2;
	}
	temp_dir(); /* made here, so that they are removed */
	direct_dir();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED);
	sigaction(SIGALRM, &action, NULL);
	pid = fork();
	if (pid == 0)
		run_child();
	if (!find_text(pid, name)) {
		fprintf(stderr, "stepped: no '%s' in this program\n", name);
		kill(pid, SIGKILL);
		return 2;
	}
	is_right = step_through(pid, times);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("# %ld signals in %ld rounds\n", shared->nr_handled, shared->nr_rounds);
	if (is_right && shared->nr_rounds < shared->nr_handled / SIGNALS_MAX) {
		printf("FAIL the program does not get on\n");
		is_right = false;
	}
	printf("%ld passed, %d failed, 0 skipped\n", (shared->nr_handled + 999) / 1000, !is_right);
	return !is_right;
}
#endif
