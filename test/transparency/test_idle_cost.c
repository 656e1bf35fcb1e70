// SPDX-License-Identifier: MIT
/*
 * test_idle_cost.c - a process that waits for nothing but time costs nothing
 *
 * After use, with nothing to do or with requests that are blocked, neither the
 * program's thread nor a helper takes processor time or wakes up again and
 * again, and none counts as waiting for I/O.
 */
#include "transparency.h"

#include <dirent.h>
#include <sys/resource.h>

#define IDLE_NS    3000000000
#define WAKES_MAX  10 /* in all that time, of all threads together */
#define CPU_MAX_US 30000
#define LEAVE_MS   4000 /* helpers may stay for a while, and then leave */
#define NR_BLOCKED 4

#define NR_PROCESSES 32
#define BETWEEN_NS   100000000
#define NR_LOOKS     100
#define LOOK_NS      2000000

/* Context switches of one thread; 0 if it has ended. */
static long nr_switches(const char *tid)
{
	char path[300], line[128];
	long nr = 0, value;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	status = fopen(path, "r");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &value) == 1)
			nr = value;
	if (status)
		fclose(status);
	return nr;
}

static long nr_wakes(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	long nr = 0;

	check(dir != NULL);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			nr += nr_switches(entry->d_name);
	closedir(dir);
	return nr;
}

static long cpu_us(void)
{
	struct rusage usage;

	check_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

/* A wake takes more where the processor is emulated. */
static long cpu_max_us(void)
{
	return (long)stretched_ns(CPU_MAX_US);
}

static void do_nothing(uint64_t ns)
{
	struct timespec ts = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		continue;
}

/* Threads that end meanwhile take their switches along: that is no wake of one that stays. */
static void check_cost(void)
{
	long wakes = nr_wakes(), us = cpu_us();

	do_nothing(IDLE_NS);
	us = cpu_us() - us;
	wakes = nr_wakes() - wakes;
	if (wakes > WAKES_MAX)
		check_failed("%ld wake-ups in 3 s with nothing to do", wakes);
	if (us > cpu_max_us())
		check_failed("%ld us of processor time in 3 s with nothing to do, %ld wake-ups", us,
			     wakes);
}

static int idle_at_once(void)
{
	use_aio();
	check_cost();
	return 0;
}

static int idle_later(void)
{
	use_aio();
	do_nothing(LEAVE_MS * UINT64_C(1000000));
	check_cost();
	check_equal(nr_threads(), 1);
	return 0;
}

static int idle_with_blocked_requests(void)
{
	static struct aiocb cbs[NR_BLOCKED];
	static char bytes[NR_BLOCKED];
	int fds[2], others[2];

	open_pipe(fds);
	open_pipe(others);
	use_aio();
	for (int i = 0; i < NR_BLOCKED; i++)
		submit_read(&cbs[i], i % 2 ? fds[0] : others[0], &bytes[i], 1, 0);
	do_nothing(LEAVE_MS * UINT64_C(1000000));
	check_cost();
	write_fully(fds[1], "xx", 2);
	write_fully(others[1], "xx", 2);
	for (int i = 0; i < NR_BLOCKED; i++)
		check_equal(outcome(&cbs[i]), 1);
	return 0;
}

/* One thread of the program waits, which is no more work than sleep. */
static int idle_in_suspend(void)
{
	struct timespec timeout = { .tv_sec = IDLE_NS / 1000000000 };
	const struct aiocb *list[1];
	static struct aiocb cb;
	static char byte;
	long wakes, us;
	int fds[2];

	open_pipe(fds);
	use_aio();
	submit_read(&cb, fds[0], &byte, 1, 0);
	do_nothing(LEAVE_MS * UINT64_C(1000000));
	list[0] = &cb;
	wakes = nr_wakes();
	us = cpu_us();
	check_equal(aio_suspend(list, 1, &timeout), -1);
	check_equal(errno, EAGAIN);
	check(cpu_us() - us < cpu_max_us());
	check(nr_wakes() - wakes < WAKES_MAX);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	return 0;
}

/* Signals that find no room are tried again, but ever more rarely while nobody takes one. */
static int idle_with_a_full_signal_queue(void)
{
	static struct aiocb cbs[NR_BLOCKED];
	static char bytes[NR_BLOCKED];
	int fds[2];

	become_nobody();
	open_pipe(fds);
	set_soft_limit(RLIMIT_SIGPENDING, 0);
	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR_BLOCKED; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	write_fully(fds[1], "xxxx", NR_BLOCKED);
	for (int i = 0; i < NR_BLOCKED; i++)
		await(&cbs[i]);
	do_nothing(LEAVE_MS * UINT64_C(1000000));
	check_cost();
	return 0;
}

/* How many sleeping threads of the whole machine count as waiting for I/O. */
static long nr_waiting_for_io(void)
{
	FILE *stat = fopen("/proc/stat", "r");
	char line[512];
	long nr = -1;

	while (stat && fgets(line, sizeof(line), stat))
		if (sscanf(line, "procs_blocked %ld", &nr) == 1)
			break;
	if (stat)
		fclose(stat);
	return nr;
}

static long least_waiting_for_io(void)
{
	long least = nr_waiting_for_io();

	for (int i = 0; i < NR_LOOKS; i++) {
		long nr = nr_waiting_for_io();

		least = nr < least ? nr : least;
		do_nothing(LOOK_NS);
	}
	return least;
}

static void read_a_byte(int fds[2])
{
	struct aiocb cb;
	char byte;

	submit_read(&cb, fds[0], &byte, 1, 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
}

/* Its helpers sleep nearly always: between two requests, and during one that is blocked. */
static _Noreturn void be_idle(bool is_blocked, int ready)
{
	static struct aiocb cb;
	static char byte;
	int fds[2], others[2];

	open_pipe(fds);
	open_pipe(others);
	if (is_blocked)
		submit_read(&cb, others[0], &byte, 1, 0);
	read_a_byte(fds);
	eventually(others_are_asleep());
	write_fully(ready, "x", 1);
	for (;;) {
		do_nothing(BETWEEN_NS);
		if (!is_blocked)
			read_a_byte(fds);
	}
}

/*
 * The kernel counts for the whole machine only; so there are many processes, and
 * the least counts that was seen, whatever others do.
 */
static int idle_processes(bool are_blocked)
{
	long before = least_waiting_for_io();
	char bytes[NR_PROCESSES];
	int ready[2];

	if (before < 0) {
		printf("# the kernel does not count threads that wait for I/O\n");
		return CHILD_SKIPPED;
	}
	open_pipe(ready);
	for (int i = 0; i < NR_PROCESSES; i++)
		if (fork() == 0)
			be_idle(are_blocked, ready[1]);
	for (int i = 0; i < NR_PROCESSES; i++)
		check_equal(read(ready[0], &bytes[i], 1), 1);
	eventually(least_waiting_for_io() < before + NR_PROCESSES / 2);
	return 0;
}

static int idle_between_requests(void)
{
	return idle_processes(false);
}

/* Before Linux 6.15 no sleep on io_uring can be told from a wait for I/O. */
static int idle_with_a_blocked_request(void)
{
	if (!has_kernel(6, 15)) {
		printf("# this kernel may count it as one\n");
		return CHILD_SKIPPED;
	}
	return idle_processes(true);
}

TEST_IN_CHILD(test_idle_process_costs_little_at_once, idle_at_once, 30000)
TEST_IN_CHILD(test_idle_process_costs_nothing_later, idle_later, 30000)
TEST_IN_CHILD(test_blocked_requests_cost_nothing, idle_with_blocked_requests, 30000)
TEST_IN_CHILD(test_wait_for_a_blocked_request_costs_nothing, idle_in_suspend, 30000)
TEST_IN_CHILD(test_full_signal_queue_costs_nothing, idle_with_a_full_signal_queue, 30000)
TEST_OR_SKIP(test_pause_between_requests_is_no_wait_for_io, idle_between_requests, 30000)
TEST_OR_SKIP(test_blocked_request_is_no_wait_for_io, idle_with_a_blocked_request, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_process_costs_little_at_once),
		cmocka_unit_test(test_idle_process_costs_nothing_later),
		cmocka_unit_test(test_blocked_requests_cost_nothing),
		cmocka_unit_test(test_wait_for_a_blocked_request_costs_nothing),
		cmocka_unit_test(test_full_signal_queue_costs_nothing),
		cmocka_unit_test(test_pause_between_requests_is_no_wait_for_io),
		cmocka_unit_test(test_blocked_request_is_no_wait_for_io),
	};

	return cmocka_run_group_tests_name("idle_cost", tests, NULL, NULL);
}
