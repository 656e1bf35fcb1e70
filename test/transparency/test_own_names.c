// SPDX-License-Identifier: MIT
/*
 * test_own_names.c - a program that has functions of its own with the names of libc's
 *
 * It is linked with -rdynamic, as programs are that load plugins, so that its
 * functions come before libc's for every library.  AIO calls none of them, from
 * the first use on.  While it is watched, this program calls nothing but AIO and what
 * libc does by itself.
 */
#include "transparency.h"

#include <dlfcn.h>
#include <stdatomic.h>

static _Atomic bool is_watching;
static const char *_Atomic offender;

typedef long any_function(long, long, long, long, long, long, long);

/* The name in the assembler's eyes only: no prototype of libc's is in the way. */
#define OWN(name)                                                                                 \
	any_function own_##name __asm__(#name);                                                   \
	long own_##name(long a, long b, long c, long d, long e, long f, long g)                   \
	{                                                                                         \
		if (is_watching)                                                                  \
			offender = #name;                                                         \
		return ((any_function *)(uintptr_t)dlsym(RTLD_NEXT, #name))(a, b, c, d, e, f, g); \
	}

OWN(syscall)
OWN(mmap)
OWN(mmap64)
OWN(munmap)
OWN(mprotect)
OWN(madvise)
OWN(prctl)
OWN(sched_yield)
OWN(sched_getparam)
OWN(sched_getscheduler)
OWN(sysconf)
OWN(getenv)
OWN(getuid)
OWN(getpid)
OWN(getrlimit)
OWN(getrusage)
OWN(clock_gettime)
OWN(nanosleep)
OWN(clock_nanosleep)
OWN(open)
OWN(openat)
OWN(read)
OWN(readv)
OWN(pread)
OWN(pread64)
OWN(preadv)
OWN(preadv2)
OWN(write)
OWN(writev)
OWN(pwrite)
OWN(pwrite64)
OWN(pwritev2)
OWN(fsync)
OWN(fdatasync)
OWN(fcntl)
OWN(fcntl64)
OWN(ioctl)
OWN(fstat)
OWN(fstatfs)
OWN(statx)
OWN(readlink)
OWN(getsockopt)
OWN(send)
OWN(sendto)
OWN(sendmsg)
OWN(recvmsg)
OWN(poll)
OWN(ppoll)
OWN(kill)
OWN(sigqueue)
OWN(sigaction)
OWN(sigprocmask)
OWN(timerfd_create)
OWN(timerfd_settime)

static sem_t has_called_back;

static void call_back(union sigval value)
{
	(void)value;
	sem_post(&has_called_back);
}

static char buf[65536];

static void finish(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	while (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	aio_return(cb);
}

static void use_file(int fd, void *memory)
{
	struct aiocb cb, *entries[] = { &cb };

	for (int i = 0; i < 3; i++) {
		aiocb_init(&cb, fd, memory, 4096, 0);
		aio_write(&cb);
		finish(&cb);
		aio_read(&cb);
		finish(&cb);
		aio_fsync(O_DSYNC, &cb);
		finish(&cb);
		aiocb_init_lio(&cb, LIO_READ, fd, memory, 4096, 4096);
		lio_listio(LIO_WAIT, entries, 1, NULL);
		aio_return(&cb);
	}
}

/* A read that waits for its write, one that is cancelled, and one that a close ends. */
static void use_pipes(int fds[2], int closed[2])
{
	static struct aiocb in, out, queued;

	aiocb_init(&in, fds[0], buf, 1, 0);
	notify_by_thread(&in.aio_sigevent, call_back, NULL);
	aio_read(&in);
	aiocb_init(&queued, fds[0], buf, 1, 0);
	aio_read(&queued);
	aio_cancel(fds[0], &queued);
	finish(&queued);
	aiocb_init(&out, fds[1], buf, 1, 0);
	notify_by_signal(&out.aio_sigevent, SIGUSR1, 1);
	aio_write(&out);
	finish(&out);
	finish(&in);
	sem_wait(&has_called_back);
	aiocb_init(&in, closed[0], buf, 1, 0);
	aiocb_init(&queued, closed[0], buf, 1, 0);
	aio_read(&in);
	aio_read(&queued);
	close(closed[0]);
	close(closed[1]);
	finish(&in);
}

static int use_own_names(void)
{
	int file = temp_file_filled(65536), direct = direct_file(65536, 0), fds[2], closed[2];
	void *memory = direct_buffer(4096);

	open_pipe(fds);
	open_pipe(closed);
	sem_init(&has_called_back, 0, 0);
	signal(SIGUSR1, SIG_IGN);
	is_watching = true;
	use_file(file, buf);
	if (direct >= 0)
		use_file(direct, memory);
	use_pipes(fds, closed);
	is_watching = false;
	if (offender)
		check_failed("the program's own %s was called", offender);
	/* They are what every library gets by these names. */
	check(dlsym(RTLD_DEFAULT, "syscall") == (void *)own_syscall);
	return 0;
}

TEST_IN_CHILD(test_functions_of_the_program_are_not_called, use_own_names, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_of_the_program_are_not_called),
	};

	return cmocka_run_group_tests_name("own_names", tests, NULL, NULL);
}
