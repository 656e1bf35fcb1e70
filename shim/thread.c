// SPDX-License-Identifier: MIT
/*
 * thread.c - how rtaio makes its threads.
 */
#include "thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "raw_syscall.h"

#define SMALL_STACK_BYTES (128u * 1024u)

/*
 * glibc carves the program's static thread-local storage out of the stack, and
 * tells how much that is by a function of its own that debuggers and runtimes
 * use.  Without it: the default size.  In .data as in close.c.
 */
static size_t (*minstack)(const pthread_attr_t *) __attribute__((section(".data")));

/*
 * When the library is loaded: dlsym takes the loader's lock, which a thread holds
 * that is in dlopen or dlclose, and which a constructor or destructor there may
 * hold until a request ends.
 */
__attribute__((constructor)) static void find_minstack(void)
{
	minstack = (size_t(*)(const pthread_attr_t *))(uintptr_t)dlsym(RTLD_DEFAULT,
								       "__pthread_get_minstack");
}

static char program_name[16]; /* the engine writes it before it makes any thread */

static size_t small_stack_size(void)
{
	pthread_attr_t attr;
	size_t size;

	if (!minstack)
		return 0;
	pthread_attr_init(&attr);
	size = SMALL_STACK_BYTES + minstack(&attr);
	pthread_attr_destroy(&attr);
	return size;
}

static int create(void *(*run)(void *), void *arg, bool is_joinable, bool has_small_stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	size_t size;
	int ret;

	pthread_attr_init(&attr);
	if (!is_joinable)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	size = has_small_stack ? small_stack_size() : 0;
	if (size)
		pthread_attr_setstacksize(&attr, size);
	ret = pthread_create(&thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return ret;
}

int thread_create(void *(*run)(void *), void *arg, bool is_joinable)
{
	int ret = create(run, arg, is_joinable, true);

	/* Not even that was enough: the default size then. */
	if (ret == EINVAL)
		ret = create(run, arg, is_joinable, false);
	return -ret;
}

void thread_begin(const char *name)
{
	RAW_SYSCALL(SYS_prctl, PR_SET_NAME, name);
}

void thread_keep_program_name(void)
{
	RAW_SYSCALL(SYS_prctl, PR_GET_NAME, program_name);
}

void thread_begin_callback(void)
{
	RAW_SYSCALL(SYS_prctl, PR_SET_NAME, program_name);
}
