// SPDX-License-Identifier: MIT
/*
 * test_keeper.c - the keeper: a thread with a descriptor table of its own
 *
 * White box: linked to the objects of the library, of which it calls keeper.h
 * and pin.h, in the place of the engine thread.  Here is what sandboxes, forks and
 * missing threads do to the table, and which threads are seen in a call; test_pin
 * is about the files in it.  Tests that fork come first, since the child of a
 * process with several threads must not make threads under a sanitizer.
 */
#include "pins.h"
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define PIDFD_THREAD_ O_EXCL /* Linux 6.9 */

/* ---- sandboxes and processes ---- */

static void refuse_call(int call, int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Nothing is pinned, nothing of the program's is closed, and no thread stays. */
static int pins_nothing_without(int call, int err)
{
	int fds[2];

	become_engine(SHORT_NS);
	open_pipe(fds);
	refuse_call(call, err);
	check(!keeper_pin(fds[1]));
	check(!keeper_pin(fds[1]));
	write_fully(fds[1], "x", 1);
	close(fds[1]);
	read_fully(fds[0], NULL, 1);
	check(is_at_end(fds[0]));
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	return 0;
}

static int without_getfd(void)
{
	return pins_nothing_without(SYS_pidfd_getfd, EPERM);
}

static int without_pidfd(void)
{
	return pins_nothing_without(SYS_pidfd_open, ENOSYS);
}

static int without_close_range(void)
{
	return pins_nothing_without(SYS_close_range, ENOSYS);
}

static int knows_no_call_without_close_range(void)
{
	become_engine(SHORT_NS);
	refuse_call(SYS_close_range, ENOSYS);
	check_equal(keeper_call_state(own_tid(), 0), CALL_UNKNOWN);
	return 0;
}

static void test_sandbox_that_refuses_pidfd_getfd(void **state)
{
	(void)state;
	check_in_child(without_getfd, default_deadline_ms());
}

static void test_sandbox_that_refuses_pidfd_open(void **state)
{
	(void)state;
	check_in_child(without_pidfd, default_deadline_ms());
}

static void test_kernel_without_close_range(void **state)
{
	(void)state;
	check_in_child(without_close_range, default_deadline_ms());
	check_in_child(knows_no_call_without_close_range, default_deadline_ms());
}

static int without_threads(void)
{
	become_engine(SHORT_NS);
	become_nobody();
	set_soft_limit(RLIMIT_NPROC, 0);
	check(!keeper_pin(STDIN_FILENO));
	check(!keeper_pin(STDIN_FILENO));
	check_equal(keeper_call_state(own_tid(), 0), CALL_UNKNOWN);
	return 0;
}

static void test_no_thread_can_be_made(void **state)
{
	(void)state;
	check_in_child(without_threads, default_deadline_ms());
}

/* The keeper is there, but it can make no thread. */
static int without_more_threads(void)
{
	int fds[2];

	become_engine(LONG_NS);
	become_nobody();
	open_pipe(fds);
	keeper_call_state(own_tid(), 0);
	eventually(nr_threads_named("rtaio-keeper", NULL) == 1);
	set_soft_limit(RLIMIT_NPROC, 0);
	check(!keeper_pin(fds[1]));
	close(fds[1]);
	check(is_at_end(fds[0]));
	return 0;
}

static void test_no_thread_can_be_made_for_a_pin(void **state)
{
	(void)state;
	pin_put(pin_or_skip(STDIN_FILENO));
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	check_in_child(without_more_threads, default_deadline_ms());
}

static int with_all_descriptors_in_use(void)
{
	int fds[2], fd;

	become_engine(SHORT_NS);
	open_pipe(fds);
	set_soft_limit(RLIMIT_NOFILE, 32);
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0);
	check_equal(errno, EMFILE);
	pin_put(pin_or_skip(fds[1]));
	check_equal(call_state_of(getpid(), fds[0]), CALL_OUTSIDE);
	return 0;
}

static void test_pin_while_all_descriptors_are_in_use(void **state)
{
	(void)state;
	pin_put(pin_or_skip(STDIN_FILENO));
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	check_in_child(with_all_descriptors_in_use, default_deadline_ms());
}

static int pins_and_lets_go(void)
{
	struct pin *pin;
	int fds[2];

	keeper_after_fork();
	pin_after_fork();
	become_engine(SHORT_NS);
	pin = pin_new_pipe(fds);
	check_equal(perform_on(pin, OP_WRITE, "child", 5), 5);
	read_fully(fds[0], NULL, 5);
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	return 0;
}

static void test_child_of_a_fork_begins_anew(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	check_in_child(pins_and_lets_go, default_deadline_ms());
	check_equal(perform_on(pin, OP_WRITE, "parent", 6), 6);
	pin_put(pin);
	close_pair(fds);
}

/* Main ends while its process goes on: the process has no table by which to find it. */
static bool main_has_ended(void)
{
	FILE *file;
	char path[64], state = '?';

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	file = fopen(path, "r");
	check(file != NULL);
	check_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	fclose(file);
	return state == 'Z';
}

static void *pin_without_main(void *arg)
{
	int *fds = arg;
	struct pin *pin;

	eventually(main_has_ended());
	pin = pin_or_skip(fds[1]);
	close(fds[1]);
	check_equal(perform_on(pin, OP_WRITE, "x", 1), 1);
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	_exit(0);
}

static int main_ends(void)
{
	static int fds[2];
	pthread_t thread;

	become_engine(SHORT_NS);
	open_pipe(fds);
	check_equal(pthread_create(&thread, NULL, pin_without_main, fds), 0);
	pthread_exit(NULL);
}

static void test_pin_after_the_main_thread_has_ended(void **state)
{
	int pidfd = (int)syscall(SYS_pidfd_open, own_tid(), PIDFD_THREAD_);

	(void)state;
	if (pidfd < 0)
		skip_because("no pidfd of a thread before Linux 6.9");
	close(pidfd);
	pin_put(pin_or_skip(STDIN_FILENO));
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	check_in_child(main_ends, default_deadline_ms());
}

/* ---- looking at threads ---- */

struct worker {
	pthread_t thread;
	int fd;
	_Atomic pid_t tid;
	_Atomic bool is_done;
};

static void *read_byte(void *arg)
{
	struct worker *worker = arg;
	char byte;

	atomic_store(&worker->tid, own_tid());
	check_equal(read(worker->fd, &byte, 1), 1);
	return NULL;
}

static void *spin(void *arg)
{
	struct worker *worker = arg;

	atomic_store(&worker->tid, own_tid());
	while (!atomic_load(&worker->is_done))
		;
	return NULL;
}

static void start(struct worker *worker, void *(*run)(void *))
{
	check_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
	eventually(atomic_load(&worker->tid) != 0);
}

static void skip_without_syscall_file(void)
{
	if (!begins_with("/proc/thread-self/syscall", "") || !can_take_over())
		skip_because("no thread may read /proc/self/task/TID/syscall");
}

static int tracer(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	int pid = 0;

	check(file != NULL);
	while (fgets(line, sizeof(line), file) && sscanf(line, "TracerPid: %d", &pid) != 1)
		;
	fclose(file);
	return pid;
}

static void test_thread_blocked_in_a_read_is_inside(void **state)
{
	struct worker worker = { .fd = -1 };
	int fds[2];

	(void)state;
	skip_without_syscall_file();
	if (tracer() != 0)
		skip_because("a debugger is attached, and then nobody is said to be inside");
	open_pipe(fds);
	worker.fd = fds[0];
	start(&worker, read_byte);
	eventually(keeper_call_state(worker.tid, fds[0]) == CALL_INSIDE);
	check_equal(call_state_of(worker.tid, fds[1]), CALL_OUTSIDE);
	write_fully(fds[1], "x", 1);
	check_equal(pthread_join(worker.thread, NULL), 0);
	close_pair(fds);
}

static void test_thread_that_runs_is_not_inside(void **state)
{
	struct worker worker = { .fd = -1 };

	(void)state;
	skip_without_syscall_file();
	start(&worker, spin);
	check_equal(call_state_of(worker.tid, 0), CALL_OUTSIDE);
	atomic_store(&worker.is_done, true);
	check_equal(pthread_join(worker.thread, NULL), 0);
}

/* This one sleeps, on a futex, until it is answered. */
static void test_thread_asleep_in_another_call_is_not_inside(void **state)
{
	(void)state;
	skip_without_syscall_file();
	check_equal(call_state_of(own_tid(), 0), CALL_OUTSIDE);
}

static void test_thread_that_does_not_exist_is_unknown(void **state)
{
	(void)state;
	check_equal(keeper_call_state(0, 0), CALL_UNKNOWN);
	check_equal(keeper_call_state(getppid(), 0), CALL_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sandbox_that_refuses_pidfd_getfd),
		TEST(test_sandbox_that_refuses_pidfd_open),
		TEST(test_kernel_without_close_range),
		TEST(test_no_thread_can_be_made),
		TEST(test_no_thread_can_be_made_for_a_pin),
		TEST(test_pin_while_all_descriptors_are_in_use),
		TEST(test_pin_after_the_main_thread_has_ended),
		TEST(test_child_of_a_fork_begins_anew),
		TEST(test_thread_blocked_in_a_read_is_inside),
		TEST(test_thread_that_runs_is_not_inside),
		TEST(test_thread_asleep_in_another_call_is_not_inside),
		TEST(test_thread_that_does_not_exist_is_unknown),
	};

	become_engine(SHORT_NS);
	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
