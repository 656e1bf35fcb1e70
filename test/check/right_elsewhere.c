// SPDX-License-Identifier: MIT
/*
 * right_elsewhere.c - the same in handlers, callbacks, coroutines, threads and processes
 */
#include "cases.h"

#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static struct pending pending;

/* ---- notification ---- */

static sem_t is_done;

static void collect(union sigval value)
{
	struct aiocb *cb = value.sival_ptr;
	static int times;

	check_equal(aio_error(cb), 0);
	check_equal(aio_return(cb), 8);
	if (++times < 3)
		check_equal(aio_read(cb), 0);
	else
		sem_post(&is_done);
}

static void callbacks_collect(void)
{
	char buf[8];
	int fd = temp_file_filled(8);

	aiocb_init(&pending.cb, fd, buf, 8, 0);
	notify_by_thread(&pending.cb.aio_sigevent, collect, &pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	await_semaphore(&is_done);
}

static void exits_in_its_callback(union sigval value)
{
	check_equal(aio_return(value.sival_ptr), 8);
	exit(0);
}

static void callback_ends_the_process(void)
{
	char buf[8];
	int fd = temp_file_filled(8);

	aiocb_init(&pending.cb, fd, buf, 8, 0);
	notify_by_thread(&pending.cb.aio_sigevent, exits_in_its_callback, &pending.cb);
	check_equal(aio_read(&pending.cb), 0);
	for (;;)
		pause();
}

static struct aiocb *volatile collected;

static void collect_in_handler(int signo, siginfo_t *info, void *context)
{
	struct aiocb *cb = info->si_value.sival_ptr;

	(void)signo;
	(void)context;
	if (aio_error(cb) == 0 && aio_return(cb) == 8)
		collected = cb;
}

/* On a stack of its own, while main has the aiocb on the other. */
static void handler_collects(void)
{
	struct sigaction action = { .sa_sigaction = collect_in_handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct aiocb cb;
	char buf[8];

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR2, &action, NULL);
	open_pipe(pending.fds);
	aiocb_init(&cb, pending.fds[0], buf, 8, 0);
	notify_by_signal(&cb.aio_sigevent, SIGUSR2, 0);
	cb.aio_sigevent.sigev_value.sival_ptr = &cb;
	check_equal(aio_read(&cb), 0);
	let_end(&pending);
	eventually(collected == &cb);
}

static void submit_in_handler(int signo)
{
	volatile int ret;

	(void)signo;
	ret = aio_read(&pending.cb);
	check_equal(ret, 0);
}

/* The handler interrupts nothing but the wait. */
static void handler_submits_in_sigsuspend(void)
{
	sigset_t none;

	change_mask(SIG_BLOCK, SIGUSR2);
	signal(SIGUSR2, submit_in_handler);
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	raise(SIGUSR2);
	sigemptyset(&none);
	sigsuspend(&none);
	end_read(&pending);
}

/* raise() is async-signal-safe, and main is in no other function of libc. */
static void handler_interrupts_the_program(void)
{
	signal(SIGUSR2, submit_in_handler);
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	raise(SIGUSR2);
	end_read(&pending);
}

static struct pending awaited;

static void submit_and_let_end(int signo)
{
	submit_in_handler(signo);
	let_end(&awaited);
}

static void handler_interrupts_aio_suspend(void)
{
	const struct aiocb *list[1] = { &awaited.cb };
	struct itimerval soon = { .it_value.tv_usec = 50000 };

	signal(SIGALRM, submit_and_let_end);
	open_pipe(pending.fds);
	aiocb_init(&pending.cb, pending.fds[0], pending.buf, 8, 0);
	begin_read(&awaited);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (aio_suspend(list, 1, NULL) != 0)
		check_equal(errno, EINTR);
	check_equal(aio_return(&awaited.cb), 8);
	end_read(&pending);
}

static void free_in_callback(union sigval value)
{
	struct pending *own = value.sival_ptr;

	check_equal(aio_return(&own->cb), 8);
	close_pair(own->fds);
	free(own);
	sem_post(&is_done);
}

static void callback_frees(void)
{
	struct pending *own = malloc(sizeof(*own));

	open_pipe(own->fds);
	aiocb_init(&own->cb, own->fds[0], own->buf, 8, 0);
	notify_by_thread(&own->cb.aio_sigevent, free_in_callback, own);
	check_equal(aio_read(&own->cb), 0);
	let_end(own);
	await_semaphore(&is_done);
	begin_read(&pending);
	end_read(&pending);
}

/* ---- other stacks, threads and processes ---- */

static sem_t is_submitted;

static void *collect_three(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		await_semaphore(&is_submitted);
		check_equal(aio_return(&pending.cb), 8);
		sem_post(&is_done);
	}
	return NULL;
}

/* One thread submits and asks for the end, another one takes the result. */
static void collected_by_another_thread(void)
{
	pthread_t thread;

	open_pipe(pending.fds);
	check_equal(pthread_create(&thread, NULL, collect_three, NULL), 0);
	for (int i = 0; i < 3; i++) {
		submit_read(&pending.cb, pending.fds[0], pending.buf, 8, 0);
		let_end(&pending);
		eventually(aio_error(&pending.cb) == 0);
		sem_post(&is_submitted);
		await_semaphore(&is_done);
	}
	check_equal(pthread_join(thread, NULL), 0);
}

static ucontext_t of_main, of_coroutine;
static const struct aiocb *of_the_coroutine;

static void coroutine(void)
{
	struct aiocb cb;
	char buf[8];

	submit_read(&cb, pending.fds[0], buf, 8, 0);
	of_the_coroutine = &cb;
	swapcontext(&of_coroutine, &of_main);
	check_equal(await_result(&cb), 8);
}

static void coroutines(void)
{
	size_t size = 256 * 1024;

	open_pipe(pending.fds);
	getcontext(&of_coroutine);
	of_coroutine.uc_stack.ss_sp = malloc(size);
	of_coroutine.uc_stack.ss_size = size;
	of_coroutine.uc_link = &of_main;
	makecontext(&of_coroutine, coroutine, 0);
	swapcontext(&of_main, &of_coroutine);
	check_equal(aio_error(of_the_coroutine), EINPROGRESS);
	let_end(&pending);
	swapcontext(&of_main, &of_coroutine);
}

static void *submit_and_end(void *arg)
{
	(void)arg;
	begin_read(&pending);
	return NULL;
}

static void thread_ends_first(void)
{
	pthread_t thread;

	check_equal(pthread_create(&thread, NULL, submit_and_end, NULL), 0);
	check_equal(pthread_join(thread, NULL), 0);
	check_equal(aio_error(&pending.cb), EINPROGRESS);
	end_read(&pending);
}

static void *go_on_alone(void *main_thread)
{
	struct pending own;

	check_equal(pthread_join(*(pthread_t *)main_thread, NULL), 0);
	begin_read(&own);
	end_read(&own);
	exit(0);
}

static void main_thread_ends(void)
{
	static pthread_t self;
	pthread_t thread;

	self = pthread_self();
	check_equal(pthread_create(&thread, NULL, go_on_alone, &self), 0);
	pthread_exit(NULL);
}

static void *write_and_ask(void *arg)
{
	const int *fd = arg;
	char data[8] = "data";

	for (;;) {
		struct aiocb cb;

		submit_write(&cb, *fd, data, sizeof(data), 0);
		sem_post(&is_submitted);
		check_equal(await_result(&cb), sizeof(data));
	}
	return NULL;
}

/* Another one is between the end of a write and its result. */
static void ends_amid_use_by_threads(void)
{
	static int fds[4]; /* open before the directory of such files goes, at the end */
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		fds[i] = temp_file(0);
	for (int i = 0; i < 4; i++)
		check_equal(pthread_create(&threads[i], NULL, write_and_ask, &fds[i]), 0);
	for (int i = 0; i < 1000; i++)
		await_semaphore(&is_submitted);
}

static int close_and_read(void)
{
	struct pending own;

	pending.cb.aio_nbytes = 1; /* the parent's is another one */
	aio_error(&pending.cb);
	close_pair(pending.fds);
	memset(&pending.cb, 0, sizeof(pending.cb));
	begin_read(&own);
	end_read(&own);
	return 0;
}

static void fork_child(void)
{
	struct pending of_parent;

	begin_read(&pending);
	begin_read(&of_parent);
	check_in_child(close_and_read, 5000);
	end_read(&pending);
	end_read(&of_parent);
}

static void vfork_child(void)
{
	int status;
	pid_t pid;

	begin_read(&pending);
	pid = vfork();
	if (pid == 0) {
		close(pending.fds[0]);
		_exit(0);
	}
	check_equal(waitpid(pid, &status, 0), pid);
	end_read(&pending);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		{ "callbacks-collect", callbacks_collect },
		{ "callback-ends-the-process", callback_ends_the_process },
		{ "handler-collects", handler_collects },
		{ "handler-submits-in-sigsuspend", handler_submits_in_sigsuspend },
		{ "handler-interrupts-the-program", handler_interrupts_the_program },
		{ "handler-interrupts-aio_suspend", handler_interrupts_aio_suspend },
		{ "callback-frees", callback_frees },
		{ "collected-by-another-thread", collected_by_another_thread },
		{ "coroutines", coroutines },
		{ "thread-ends-first", thread_ends_first },
		{ "main-thread-ends", main_thread_ends },
		{ "ends-amid-use-by-threads", ends_amid_use_by_threads },
		{ "fork-child", fork_child },
		{ "vfork-child", vfork_child },
	};

	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
