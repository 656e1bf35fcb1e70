// SPDX-License-Identifier: MIT
/*
 * early_main.c - a program of which a library has closed files before it began
 *
 * It uses AIO, and says whether the library (early.c), linked or preloaded,
 * failed.
 */
#include <aio.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	int (*failed)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "early_failed");
	int (*fork_failed)(void) =
		(int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "early_fork_failed");
	struct aiocb cb = { .aio_nbytes = 5 };
	const struct aiocb *list[] = { &cb };
	char buf[8] = "";
	int fds[2];

	if (!failed || failed() != 0) {
		printf("the early call failed: %d\n", failed ? failed() : -2);
		return EXIT_FAILURE;
	}
	cb.aio_buf = buf;
	if (pipe(fds) != 0 || write(fds[1], "early", 5) != 5)
		return EXIT_FAILURE;
	cb.aio_fildes = fds[0];
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (aio_read(&cb) != 0 || aio_suspend(list, 1, NULL) != 0 || aio_return(&cb) != 5)
		return EXIT_FAILURE;
	if (fork_failed() != 0) {
		printf("a child of the fork failed\n");
		return EXIT_FAILURE;
	}
	return strcmp(buf, "early") ? EXIT_FAILURE : EXIT_SUCCESS;
}
