// SPDX-License-Identifier: MIT
/*
 * thread.c - how rtaio makes its threads.
 *
 * A thread of the library serves the whole process, whichever thread used AIO first.  So it
 * takes the policy and priority of the main thread, and may run on the processors of the
 * main thread and of its creator.
 */
#include "base/thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/raw_syscall.h"

#define IOPRIO_WHO_PROCESS 1 /* linux/ioprio.h is not everywhere */
#define IOPRIO_CLASS_UNIT  (1 << 13)
#define SMALL_STACK_BYTES  (128u << 10)

/*
 * glibc takes static thread-local storage out of the stack.  This private function, which some
 * runtimes use too, returns its size.  Without it stacks have the default size.  In .data as
 * in close.c.
 */
static size_t (*minstack)(const pthread_attr_t *) __attribute__((section(".data")));

/*
 * At load: dlsym takes the loader's lock.  Later a thread in dlopen or dlclose may hold it
 * while a constructor or destructor waits for a request.
 */
__attribute__((constructor)) static void find_minstack(void)
{
	minstack = (size_t(*)(const pthread_attr_t *))(uintptr_t)dlsym(RTLD_DEFAULT,
								       "__pthread_get_minstack");
}

static _Atomic unsigned nr_with_row; /* threads */

_Thread_local unsigned thread_chosen_row;

void thread_choose_row(void)
{
	thread_chosen_row = atomic_fetch_add(&nr_with_row, 1) % THREAD_ROWS + 1;
}

unsigned thread_nr_rows(void)
{
	unsigned nr = atomic_load(&nr_with_row);

	return nr < THREAD_ROWS ? nr : THREAD_ROWS;
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

int thread_create(void *(*run)(void *), void *arg, bool is_joinable)
{
	size_t size = small_stack_size();
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	if (!is_joinable)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (size)
		pthread_attr_setstacksize(&attr, size);
	ret = pthread_create(&thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return -ret;
}

struct thread_switches thread_switches(void)
{
	struct rusage usage = { 0 };

	RAW_SYSCALL(SYS_getrusage, RUSAGE_THREAD, &usage);
	return (struct thread_switches){ usage.ru_nvcsw, usage.ru_nivcsw };
}

struct schedule {
	long policy, nice, io;
	struct sched_param param;
};

static struct schedule schedule_of(pid_t tid)
{
	struct schedule schedule;

	schedule.policy = RAW_SYSCALL(SYS_sched_getscheduler, tid);
	schedule.nice = 20 - RAW_SYSCALL(SYS_getpriority, PRIO_PROCESS, tid);
	schedule.io = RAW_SYSCALL(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	/* Linux 5.10 returns a level even if no class was set, which ioprio_set would refuse. */
	if (schedule.io < IOPRIO_CLASS_UNIT)
		schedule.io = 0;
	schedule.param.sched_priority = 0;
	RAW_SYSCALL(SYS_sched_getparam, tid, &schedule.param);
	/* SCHED_RESET_ON_FORK: the threads of that thread do not inherit these. */
	if (schedule.policy >= SCHED_RESET_ON_FORK) {
		schedule.policy = SCHED_OTHER;
		schedule.param.sched_priority = 0;
		schedule.nice = schedule.nice < 0 ? 0 : schedule.nice;
	}
	return schedule;
}

static void take_schedule(pid_t from)
{
	struct schedule mine = schedule_of(0), its = schedule_of(from);

	if (its.policy != mine.policy || its.param.sched_priority != mine.param.sched_priority)
		RAW_SYSCALL(SYS_sched_setscheduler, 0, its.policy, &its.param);
	if (its.nice != mine.nice)
		RAW_SYSCALL(SYS_setpriority, PRIO_PROCESS, 0, its.nice);
	if (its.io != mine.io)
		RAW_SYSCALL(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, its.io);
}

static void add_processors(pid_t from)
{
	cpu_set_t mine, its, both;

	CPU_ZERO(&mine);
	CPU_ZERO(&its);
	RAW_SYSCALL(SYS_sched_getaffinity, 0, sizeof(mine), &mine);
	RAW_SYSCALL(SYS_sched_getaffinity, from, sizeof(its), &its);
	CPU_OR(&both, &mine, &its);
	if (!CPU_EQUAL(&both, &mine))
		RAW_SYSCALL(SYS_sched_setaffinity, 0, sizeof(both), &both);
}

void thread_begin(const char *name)
{
	pid_t process = (pid_t)RAW_SYSCALL(SYS_getpid);

	RAW_SYSCALL(SYS_prctl, PR_SET_NAME, name);
	add_processors(process);
	take_schedule(process);
}

void thread_keep_program_name(void)
{
	RAW_SYSCALL(SYS_prctl, PR_GET_NAME, program_name);
}

void thread_begin_callback(void)
{
	RAW_SYSCALL(SYS_prctl, PR_SET_NAME, program_name);
}
