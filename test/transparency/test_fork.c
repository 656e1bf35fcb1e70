// SPDX-License-Identifier: MIT
/*
 * test_fork.c - children, however they are made
 *
 * A forked child has nothing in flight and may use AIO as if it were a new
 * program.  The parent's requests go on and each completes exactly once,
 * whatever the child does with its copy of the control blocks.  POSIX says
 * that requests are not inherited; what glibc does to the child (nothing ever
 * completes) is a defect of its own.  test_fork_in_callbacks forks from
 * callbacks and handlers.
 */
#include "transparency.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

/* ---- ways to fork ---- */

typedef pid_t fork_fn(void);

static pid_t fork_by_system_call(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t fork_without_handlers(void)
{
	fork_fn *function = (fork_fn *)dlsym(RTLD_DEFAULT, "_Fork");

	return function ? function() : fork_by_system_call();
}

static fork_fn *const all_forks[] = {
	fork,
	fork_without_handlers,
	fork_by_system_call,
};

/*
 * Without glibc's handlers the child has its locks as they are: one that another
 * thread holds, for it makes a thread or ends, nobody there gives back.  So that
 * is left to threads that sleep.
 */
static pid_t make_child(fork_fn *fork_one)
{
	if (fork_one != fork)
		eventually(others_are_asleep());
	return fork_one();
}

/* ---- the parent's requests ---- */

#define NR_DIRECT  16
#define BLOCK_SIZE 65536

struct flight {
	struct aiocb direct[NR_DIRECT];
	struct aiocb reads[3];
	char bytes[3];
	char *buf;
	int fds[2];
	int fd;
};

static atomic_int nr_signals[NR_DIRECT + 3];

static void count_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (info->si_code == SI_ASYNCIO)
		atomic_fetch_add(&nr_signals[info->si_value.sival_int], 1);
}

static void flight_submit(struct aiocb *cb, int index, int fd, void *buf, size_t size, off_t offset)
{
	aiocb_init(cb, fd, buf, size, offset);
	notify_by_signal(&cb->aio_sigevent, SIGRTMIN, index);
	check_equal(aio_read(cb), 0);
}

static void flight_start(struct flight *flight)
{
	struct sigaction action = { .sa_sigaction = count_signal };

	action.sa_flags = SA_SIGINFO | SA_RESTART;
	check_equal(sigaction(SIGRTMIN, &action, NULL), 0);
	memset(flight, 0, sizeof(*flight));
	memset(nr_signals, 0, sizeof(nr_signals));
	flight->buf = direct_buffer(NR_DIRECT * BLOCK_SIZE);
	flight->fd = direct_file(NR_DIRECT * BLOCK_SIZE, 0);
	if (flight->fd < 0)
		flight->fd = temp_file_filled(NR_DIRECT * BLOCK_SIZE);
	open_pipe(flight->fds);
	for (int i = 0; i < 3; i++)
		flight_submit(&flight->reads[i], i, flight->fds[0], &flight->bytes[i], 1, 0);
	for (int i = 0; i < NR_DIRECT; i++)
		flight_submit(&flight->direct[i], 3 + i, flight->fd, flight->buf + i * BLOCK_SIZE,
			      BLOCK_SIZE, i * BLOCK_SIZE);
}

/* Every request completes, with its data, and notifies once. */
static void flight_finish(struct flight *flight)
{
	for (int i = 0; i < NR_DIRECT; i++)
		check_equal(outcome(&flight->direct[i]), BLOCK_SIZE);
	check_pattern(flight->buf, 0, NR_DIRECT * BLOCK_SIZE);
	for (int i = 0; i < 3; i++) {
		check_equal(aio_error(&flight->reads[i]), EINPROGRESS);
		write_fully(flight->fds[1], &"abc"[i], 1);
		check_equal(outcome(&flight->reads[i]), 1);
	}
	check_memory(flight->bytes, "abc", 3);
	for (int i = 0; i < NR_DIRECT + 3; i++)
		eventually(nr_signals[i] == 1);
	close_pair(flight->fds);
	close(flight->fd);
	free(flight->buf);
}

/* The calls that a child may well make with blocks which are not its own. */
static void touch_inherited(struct flight *flight)
{
	const struct aiocb *list[NR_DIRECT];
	struct timespec timeout = { .tv_nsec = 20000000 };

	for (int i = 0; i < NR_DIRECT; i++) {
		list[i] = &flight->direct[i];
		aio_error(list[i]);
	}
	aio_suspend(list, NR_DIRECT, &timeout);
	for (int i = 0; i < NR_DIRECT; i++)
		aio_return(&flight->direct[i]);
	for (int i = 0; i < 3; i++)
		aio_cancel(flight->fds[0], &flight->reads[i]);
}

/* ---- a child that uses AIO ---- */

static int child_uses_aio_anew(void *arg)
{
	fork_fn *const *fork_one = arg;
	pid_t pid;

	/* First with idle workers, then with some that are busy. */
	for (int i = 0; i < 10; i++) {
		use_aio();
		pid = make_child(*fork_one);
		if (!pid) {
			use_aio();
			_exit(0);
		}
		check_child(pid);
		use_aio();
	}
	return 0;
}

/*
 * In every other round a request has just ended: glibc's child works or does not
 * by the workers that are idle at the fork, and a slow disk may keep all busy.
 */
static void leave_idle_worker(int round)
{
	if (round % 2)
		use_aio_briefly();
}

static int child_uses_aio_beside_flight(void *arg)
{
	fork_fn *const *fork_one = arg;
	struct flight flight;
	pid_t pid;

	for (int i = 0; i < 10; i++) {
		flight_start(&flight);
		leave_idle_worker(i);
		pid = make_child(*fork_one);
		if (!pid) {
			use_aio();
			_exit(0);
		}
		check_child(pid);
		flight_finish(&flight);
	}
	return 0;
}

/* The child reads the descriptor on which the parent's read is blocked. */
static int child_uses_same_number(void)
{
	struct aiocb blocked, cb;
	char byte = 0;
	int fds[2];
	pid_t pid;

	open_pipe(fds);
	submit_read(&blocked, fds[0], &byte, 1, 0);
	pid = fork();
	if (!pid) {
		int others[2];
		char other = 0;

		open_pipe(others);
		check_equal(dup2(others[0], fds[0]), fds[0]);
		submit_read(&cb, fds[0], &other, 1, 0);
		write_fully(others[1], "c", 1);
		check_equal(outcome(&cb), 1);
		check_equal(other, 'c');
		_exit(0);
	}
	check_child(pid);
	write_fully(fds[1], "p", 1);
	check_equal(outcome(&blocked), 1);
	check_equal(byte, 'p');
	return 0;
}

static int child_touches_inherited_blocks(void *arg)
{
	fork_fn *const *fork_one = arg;
	struct flight flight;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		flight_start(&flight);
		leave_idle_worker(i);
		pid = make_child(*fork_one);
		if (!pid) {
			touch_inherited(&flight);
			use_aio_briefly();
			_exit(0);
		}
		flight_finish(&flight);
		check_child(pid);
	}
	use_aio();
	return 0;
}

/* The child of a child is as good. */
static int grandchild_uses_aio(void)
{
	pid_t pid;

	use_aio_briefly();
	pid = fork();
	if (!pid) {
		use_aio_briefly();
		pid = fork();
		if (!pid) {
			use_aio();
			_exit(0);
		}
		check_child(pid);
		use_aio();
		_exit(0);
	}
	check_child(pid);
	return 0;
}

#define TEST_FORK(test, function, index)                                                       \
	static void test(void **state)                                                         \
	{                                                                                      \
		(void)state;                                                                   \
		support_check_child(in_child_with(function, (void *)&all_forks[index], 40000), \
				    #function, __FILE__, __LINE__);                            \
	}

TEST_FORK(test_child_of_fork_uses_aio_anew, child_uses_aio_anew, 0)
TEST_FORK(test_child_of_fork_without_handlers_uses_aio_anew, child_uses_aio_anew, 1)
TEST_FORK(test_child_of_clone_uses_aio_anew, child_uses_aio_anew, 2)
TEST_FORK(test_child_of_fork_uses_aio_beside_parents_requests, child_uses_aio_beside_flight, 0)
TEST_FORK(test_child_of_fork_without_handlers_uses_aio_beside_parents_requests,
	  child_uses_aio_beside_flight, 1)
TEST_FORK(test_child_of_clone_uses_aio_beside_parents_requests, child_uses_aio_beside_flight, 2)
TEST_FORK(test_child_of_fork_may_touch_inherited_blocks, child_touches_inherited_blocks, 0)
TEST_FORK(test_child_of_fork_without_handlers_may_touch_inherited_blocks,
	  child_touches_inherited_blocks, 1)
TEST_FORK(test_child_of_clone_may_touch_inherited_blocks, child_touches_inherited_blocks, 2)
TEST_IN_CHILD(test_child_uses_a_descriptor_blocked_in_the_parent, child_uses_same_number, 30000)
TEST_IN_CHILD(test_grandchild_uses_aio, grandchild_uses_aio, 30000)

/* ---- how a child ends, and how programs are started ---- */

static void exit_at_once(void)
{
	exit(0);
}

static void exit_quickly(void)
{
	_exit(0);
}

static void kill_itself(void)
{
	raise(SIGKILL);
}

static void exec_true(void)
{
	execl("/bin/true", "true", NULL);
	_exit(1);
}

static int children_end_beside_flight(void)
{
	void (*const ends[])(void) = {
		exit_at_once,
		exit_quickly,
		kill_itself,
		exec_true,
	};
	struct flight flight;
	pid_t pid;

	for (int round = 0; round < 5; round++) {
		flight_start(&flight);
		for (unsigned int i = 0; i < 4; i++) {
			uint64_t begin = now_ns();
			int status;

			pid = fork();
			if (!pid)
				ends[i]();
			status = wait_for_child(pid);
			check_equal(status, ends[i] == kill_itself ? SIGKILL : 0);
			check(now_ns() - begin < stretched_ns(5000000000));
		}
		flight_finish(&flight);
	}
	return 0;
}

static void vfork_and_exec(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	check_child(pid);
}

static void spawn(void)
{
	char *const argv[] = { "true", NULL };
	pid_t pid;

	check_equal(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ), 0);
	check_child(pid);
}

static void run_shell(void)
{
	check_equal(WEXITSTATUS(system("exit 3")), 3);
}

static void run_popen(void)
{
	char line[16] = "";
	FILE *stream = popen("echo hello", "r");

	check(stream != NULL);
	check(fgets(line, sizeof(line), stream) != NULL);
	check_equal(pclose(stream), 0);
	check(!strcmp(line, "hello\n"));
}

static int programs_start_beside_flight(void)
{
	void (*const starts[])(void) = { vfork_and_exec, spawn, run_shell, run_popen };
	struct flight flight;

	for (int round = 0; round < 5; round++) {
		flight_start(&flight);
		for (unsigned int i = 0; i < 4; i++)
			starts[i]();
		flight_finish(&flight);
	}
	return 0;
}

TEST_IN_CHILD(test_children_end_beside_parents_requests, children_end_beside_flight, 40000)
TEST_IN_CHILD(test_programs_start_beside_requests, programs_start_beside_flight, 40000)

/* ---- a storm ---- */

#define NR_FORKERS 4
#define FORKS_EACH 50

static atomic_int nr_forking;

static void *fork_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < FORKS_EACH; i++) {
		pid_t pid = fork();

		if (!pid) {
			use_aio_briefly();
			_exit(0);
		}
		check_child(pid);
	}
	atomic_fetch_sub(&nr_forking, 1);
	return NULL;
}

/* Reads, writes and signals all the while; each result and byte is checked. */
static void *submit_often(void *arg)
{
	(void)arg;
	while (nr_forking > 0)
		use_aio_briefly();
	return NULL;
}

static int fork_storm(void)
{
	pthread_t forkers[NR_FORKERS], submitters[2];
	struct flight flight;

	choose_default_deadline(12000);
	flight_start(&flight);
	nr_forking = NR_FORKERS;
	for (int i = 0; i < 2; i++)
		submitters[i] = start_thread(submit_often, NULL);
	for (int i = 0; i < NR_FORKERS; i++)
		forkers[i] = start_thread(fork_often, NULL);
	for (int i = 0; i < NR_FORKERS; i++)
		join_thread(forkers[i]);
	for (int i = 0; i < 2; i++)
		join_thread(submitters[i]);
	flight_finish(&flight);
	return 0;
}

TEST_IN_CHILD(test_fork_storm_beside_requests, fork_storm, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_of_fork_uses_aio_anew),
		cmocka_unit_test(test_child_of_fork_without_handlers_uses_aio_anew),
		cmocka_unit_test(test_child_of_clone_uses_aio_anew),
		cmocka_unit_test(test_child_of_fork_uses_aio_beside_parents_requests),
		cmocka_unit_test(
			test_child_of_fork_without_handlers_uses_aio_beside_parents_requests),
		cmocka_unit_test(test_child_of_clone_uses_aio_beside_parents_requests),
		cmocka_unit_test(test_child_of_fork_may_touch_inherited_blocks),
		cmocka_unit_test(test_child_of_fork_without_handlers_may_touch_inherited_blocks),
		cmocka_unit_test(test_child_of_clone_may_touch_inherited_blocks),
		cmocka_unit_test(test_child_uses_a_descriptor_blocked_in_the_parent),
		cmocka_unit_test(test_grandchild_uses_aio),
		cmocka_unit_test(test_children_end_beside_parents_requests),
		cmocka_unit_test(test_programs_start_beside_requests),
		cmocka_unit_test(test_fork_storm_beside_requests),
	};

	/* A child that hangs here hangs for good: most waits need not be long. */
	choose_default_deadline(4000);
	return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
