// SPDX-License-Identifier: MIT
/*
 * early.c - a library that uses AIO, closes a file, sets a limit or leaves in its constructor
 *
 * The loader may run that before the constructor of a preloaded library, whose
 * functions are called all the same.  The variable EARLY names the one function
 * that is called; early_main.c asks what came of it.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "older_libc.h"

int early_failed(void);
int early_fork_failed(void);

static int has_failed = -1;

static int call_setrlimit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) || setrlimit(RLIMIT_NOFILE, &limit);
}

static int call_prlimit(void)
{
	struct rlimit limit;

	return prlimit(0, RLIMIT_NOFILE, NULL, &limit) || prlimit(0, RLIMIT_NOFILE, &limit, NULL);
}

/* Programs with large files call these. */
static int call_setrlimit64(void)
{
	struct rlimit64 limit;

	return getrlimit64(RLIMIT_NOFILE, &limit) || setrlimit64(RLIMIT_NOFILE, &limit);
}

static int call_prlimit64(void)
{
	struct rlimit64 limit;

	return prlimit64(0, RLIMIT_NOFILE, NULL, &limit) ||
	       prlimit64(0, RLIMIT_NOFILE, &limit, NULL);
}

static int call_fclose(int fd)
{
	FILE *stream = fdopen(fd, "r");

	return !stream || fclose(stream);
}

/* ---- AIO itself ---- */

static int fds[2];
static char byte;
static struct aiocb cb;

static int submit_read(void)
{
	cb = (struct aiocb){ .aio_buf = &byte, .aio_nbytes = 1 };
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (pipe(fds) != 0)
		return -1;
	cb.aio_fildes = fds[0];
	return aio_read(&cb);
}

/* The read of the empty pipe does not end in time, but when there is a byte. */
static int finish_read(void)
{
	struct timespec moment = { .tv_nsec = 1000000 };
	const struct aiocb *list[] = { &cb };

	return aio_suspend(list, 1, &moment) != -1 || errno != EAGAIN ||
	       aio_error(&cb) != EINPROGRESS || write(fds[1], "x", 1) != 1 ||
	       aio_suspend(list, 1, NULL) != 0 || aio_return(&cb) != 1 || byte != 'x';
}

/* A handler that comes before those that were installed after this constructor. */
static bool is_handler_installed;

static void use_in_child(void)
{
	if (submit_read() != 0)
		_exit(EXIT_FAILURE);
}

static int install_handler(void)
{
	is_handler_installed = true;
	return pthread_atfork(NULL, NULL, use_in_child);
}

int early_fork_failed(void)
{
	int status;
	pid_t pid;

	if (!is_handler_installed)
		return 0;
	pid = fork();
	if (pid == 0)
		_exit(finish_read());
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

/* 0 if the function did its work, and, where it closes, the fd is no longer open. */
static int call(const char *name)
{
	int fd = open("/dev/null", O_RDWR), other = open("/dev/zero", O_RDWR), ret = -1;

	if (!strcmp(name, "aio_read"))
		return submit_read() || finish_read();
	if (!strcmp(name, "pthread_atfork"))
		return install_handler();
	if (!strcmp(name, "setrlimit"))
		return call_setrlimit();
	if (!strcmp(name, "prlimit"))
		return call_prlimit();
	if (!strcmp(name, "setrlimit64"))
		return call_setrlimit64();
	if (!strcmp(name, "prlimit64"))
		return call_prlimit64();
	if (!strcmp(name, "_exit"))
		_exit(0);
	if (!strcmp(name, "_Exit"))
		_Exit(0);
	if (!strcmp(name, "dup2"))
		return dup2(other, fd) != fd;
	if (!strcmp(name, "dup3"))
		return dup3(other, fd, O_CLOEXEC) != fd;
	if (!strcmp(name, "close"))
		ret = close(fd);
	else if (!strcmp(name, "fclose"))
		ret = call_fclose(fd);
	else if (!strcmp(name, "close_range"))
		ret = close_range((unsigned)fd, (unsigned)fd, 0);
	else if (!strcmp(name, "closefrom"))
		closefrom(fd), ret = 0;
	return ret || fcntl(fd, F_GETFD) != -1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("EARLY");

	has_failed = !name || call(name);
}

int early_failed(void)
{
	return has_failed;
}
