// SPDX-License-Identifier: MIT
/*
 * idle.c - a program that links the AIO functions and never calls one
 *
 * It does what such a program may do besides: memory, descriptors that are
 * duplicated and closed (by functions the library hooks), a child, a thread.
 * idle.sh compares its system calls with and without the preload.
 */
#include <aio.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "older_libc.h"

static void *do_nothing(void *arg)
{
	return arg;
}

static int use_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);
	int copy = dup2(fd, fd + 10);
	FILE *stream = fdopen(dup3(fd, fd + 20, O_CLOEXEC), "w");

	if (!stream || fprintf(stream, "%d\n", copy) < 0 || fclose(stream) != 0)
		return -1;
	if (close(copy) != 0 || close_range((unsigned)fd + 1, ~0u, 0) != 0)
		return -1;
	closefrom(fd);
	return 0;
}

static int use_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(use_descriptors() == 0 ? 0 : 1);
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static int use_aio(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	return aio_read(cb) + aio_write(cb) + aio_suspend(list, 1, NULL) + aio_error(cb);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *memory = malloc(1 << 20);

	free(memory);
	if (use_descriptors() != 0 || use_child() != 0)
		return EXIT_FAILURE;
	if (pthread_create(&thread, NULL, do_nothing, argv) != 0 || pthread_join(thread, NULL) != 0)
		return EXIT_FAILURE;
	/* Never true, but the compiler cannot know: the functions stay linked. */
	if (argc > 1000)
		return use_aio((struct aiocb *)argv);
	return EXIT_SUCCESS;
}
