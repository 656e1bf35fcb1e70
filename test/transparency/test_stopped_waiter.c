// SPDX-License-Identifier: MIT
/*
 * test_stopped_waiter.c - a thread that waits, and is stopped there, holds up nobody
 *
 * A thread that waits for O_DIRECT may take the ends of others' requests from the kernel, too.
 * But then it may get no processor, because its policy is SCHED_IDLE and the machine is
 * busy, or a debugger has stopped it.  Here it certainly gets nowhere: its own request
 * is on a disk that has stopped, and a handler that does not return interrupts its wait.
 */
#include "frozen.h"

#include <stdatomic.h>

#define SIZE        4096
#define NR          50
#define NR_PER_LIST 4

static int disk, other, gate[2];
static char *data;
static struct aiocb stuck;
static atomic_int waiter_tid;
static sem_t is_in_handler;

/* ---- the thread that is stopped ---- */

static void stay(int signo)
{
	char byte;

	(void)signo;
	sem_post(&is_in_handler);
	while (read(gate[0], &byte, 1) < 0)
		continue;
}

static void *wait_in_suspend(void *unused)
{
	const struct aiocb *list[] = { &stuck };

	submit_write(&stuck, disk, data, SIZE, 0);
	waiter_tid = gettid();
	while (aio_error(&stuck) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return unused;
}

static void *wait_in_list(void *unused)
{
	struct aiocb *const list[] = { &stuck };

	aiocb_init_lio(&stuck, LIO_WRITE, disk, data, SIZE, 0);
	waiter_tid = gettid();
	while (lio_listio(LIO_WAIT, list, 1, NULL) < 0)
		check_equal(errno, EINTR);
	return unused;
}

/* ---- the others ---- */

/* A library may have to use a file before it knows what it is. */
static void find_out(void)
{
	struct aiocb cb;

	for (int i = 0; i < NR; i++) {
		submit_write(&cb, disk, data, SIZE, SIZE);
		check_equal(outcome(&cb), SIZE);
		check_equal(read_now(other, data, SIZE, 0), SIZE);
		short_pause();
	}
}

static void wait_for_lists(void)
{
	struct aiocb cbs[NR_PER_LIST], *list[NR_PER_LIST];

	for (int i = 0; i < NR_PER_LIST; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, other, data + i * SIZE, SIZE, i * SIZE);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(LIO_WAIT, list, NR_PER_LIST, NULL), 0);
}

static void poll_for_one(void)
{
	struct aiocb cb;

	submit_read(&cb, other, data, SIZE, 0);
	eventually(aio_error(&cb) != EINPROGRESS);
	check_equal(aio_return(&cb), SIZE);
}

static bool open_files(void)
{
	char image[64], device[32];
	int file;

	if (!frozen_start())
		return false;
	data = direct_buffer(NR_PER_LIST * SIZE);
	file = frozen_file(0);
	check_equal(ftruncate(file, NR * SIZE), 0);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", file);
	check(frozen_attach(image, device) >= 0);
	disk = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	check(disk >= 0);
	other = direct_file(NR_PER_LIST * SIZE, 0);
	if (other < 0)
		printf("the file system refuses O_DIRECT");
	return other >= 0;
}

static int stop_waiter(void *(*wait)(void *))
{
	pthread_t thread;

	if (!open_files())
		return CHILD_SKIPPED;
	open_pipe(gate);
	sem_init(&is_in_handler, 0, 0);
	handle_signal(SIGUSR1, stay, 0);
	find_out();
	frozen_stop();
	thread = start_thread(wait, NULL);
	eventually(waiter_tid && thread_sleeps(waiter_tid));
	check_equal(pthread_kill(thread, SIGUSR1), 0);
	await_semaphore(&is_in_handler);
	for (int i = 0; i < NR; i++) {
		check_equal(read_now(other, data, SIZE, 0), SIZE);
		wait_for_lists();
		poll_for_one();
	}
	check_equal(aio_error(&stuck), EINPROGRESS);
	frozen_go_on();
	write_fully(gate[1], "x", 1);
	join_thread(thread);
	return 0;
}

static int stop_in_suspend(void)
{
	return stop_waiter(wait_in_suspend);
}

static int stop_in_list(void)
{
	return stop_waiter(wait_in_list);
}

TEST_OR_SKIP(test_thread_stopped_in_aio_suspend_holds_up_nobody, stop_in_suspend, 40000)
TEST_OR_SKIP(test_thread_stopped_in_a_waited_list_holds_up_nobody, stop_in_list, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread_stopped_in_aio_suspend_holds_up_nobody),
		cmocka_unit_test(test_thread_stopped_in_a_waited_list_holds_up_nobody),
	};

	return cmocka_run_group_tests_name("stopped_waiter", tests, NULL, NULL);
}
