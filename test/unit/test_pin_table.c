// SPDX-License-Identifier: MIT
/*
 * test_pin_table.c - files that are held in a descriptor table of the library's own
 *
 * White box: linked to the objects of the library, of which it calls pin_table.h
 * and pin.h, in the place of the engine thread.  Tests that fork come first, since
 * the child of a process with several threads must not make threads under a
 * sanitizer.
 */
#include "support.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/config.h"
#include "dispatch/pin_table.h"
#include "engine/workers.h"

#define SHORT_NS 20000000u    /* idle time of helpers that are to leave */
#define LONG_NS  60000000000u /* and of those that are to stay */

#define PIDFD_THREAD_ O_EXCL /* Linux 6.9 */

static sem_t executed;

/* In the place of workers.c. */
void workers_report(struct request *req)
{
	(void)req;
	sem_post(&executed);
}

/* As the engine is: with all signals blocked. */
static void become_engine(uint64_t idle_ns)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sem_init(&executed, 0, 0);
	atomic_store(&config.idle_ns, idle_ns);
	pin_table_after_fork(); /* it may be the child of a fork */
	pin_after_fork();
}

static pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static bool begins_with(const char *path, const char *wanted)
{
	FILE *file = fopen(path, "r");
	char text[32] = "";
	bool begins = file && fgets(text, sizeof(text), file) &&
		      strncmp(text, wanted, strlen(wanted)) == 0;

	if (file)
		fclose(file);
	return begins;
}

/*
 * The threads whose names begin like this, and the last of them.  A sanitizer
 * has threads, too.
 */
static unsigned int nr_threads_named(const char *wanted, pid_t *last)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int nr = 0;

	check(dir != NULL);
	while ((entry = readdir(dir))) {
		char path[300];

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		if (!begins_with(path, wanted))
			continue;
		nr++;
		if (last)
			*last = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	return nr;
}

/* All threads of the library's leave, and with them what they held. */
static int tear_down(void **state)
{
	(void)state;
	atomic_store(&config.idle_ns, SHORT_NS);
	/* It may have gone to sleep for longer. */
	pin_table_look(own_tid(), 0);
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	return 0;
}

static struct pin *pin_or_skip(int fd)
{
	struct pin *pin = pin_table_pin(fd);

	if (!pin && !support_is_child)
		skip_because("this kernel or sandbox lets no thread take files over");
	check(pin != NULL);
	return pin;
}

static void make_request(struct request *req, enum request_op op, void *buf, size_t nbytes)
{
	memset(req, 0, sizeof(*req));
	req->op = (uint8_t)op;
	req->buf = buf;
	req->nbytes = nbytes;
	req->fd = -1; /* of no use to anybody once it is closed */
}

static ssize_t perform_on(struct pin *pin, enum request_op op, void *buf, size_t nbytes)
{
	static struct request req;

	make_request(&req, op, buf, nbytes);
	pin_submit(pin, &req);
	await_semaphore(&executed);
	return req.res;
}

static unsigned int nr_descriptors_of(pid_t tid)
{
	struct dirent *entry;
	unsigned int nr = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", (int)tid);
	dir = opendir(path);
	check(dir != NULL);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static off_t size_of(int fd)
{
	struct stat st;

	check_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* Does the other end of a pipe see its end? */
static bool is_at_end(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&entry, 1, 0) == 1 && read(fd, &byte, 1) == 0;
}

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
	check(!pin_table_pin(fds[1]));
	check(!pin_table_pin(fds[1]));
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
	become_engine(SHORT_NS);
	refuse_call(SYS_close_range, ENOSYS);
	check_equal(pin_table_look(own_tid(), 0), PIN_TABLE_UNKNOWN);
	pin_table_after_fork();
	pin_after_fork();
	return pins_nothing_without(SYS_close_range, ENOSYS);
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
}

/* Root is exempt from the limit until it is somebody else. */
static void become_nobody(void)
{
	check(geteuid() != 0 || syscall(SYS_setuid, 65534) == 0);
}

static void forbid_threads(void)
{
	struct rlimit limit = { 0, 0 };

	check_equal(setrlimit(RLIMIT_NPROC, &limit), 0);
}

static int without_threads(void)
{
	become_engine(SHORT_NS);
	become_nobody();
	forbid_threads();
	check(!pin_table_pin(STDIN_FILENO));
	check(!pin_table_pin(STDIN_FILENO));
	check_equal(pin_table_look(own_tid(), 0), PIN_TABLE_UNKNOWN);
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
	pin_table_look(own_tid(), 0);
	check_equal(nr_threads_named("rtaio-pins", NULL), 1);
	forbid_threads();
	check(!pin_table_pin(fds[1]));
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
	struct rlimit limit = { 32, 32 };
	int fds[2], fd;

	become_engine(SHORT_NS);
	open_pipe(fds);
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0);
	check_equal(errno, EMFILE);
	pin_put(pin_or_skip(fds[1]));
	check_equal(pin_table_look(getpid(), fds[0]), PIN_TABLE_RUNNING);
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

	pin_table_after_fork();
	pin_after_fork();
	become_engine(SHORT_NS);
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	close(fds[1]);
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
	pin = pin_table_pin(fds[1]);
	check(pin != NULL);
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

static bool is_locked_for_others(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (fcntl(fd, F_GETLK, &lock) < 0)
			_exit(2);
		_exit(lock.l_type != F_UNLCK);
	}
	check(child > 0);
	check_equal(waitpid(child, &status, 0), child);
	check(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

static void test_record_locks_survive(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = temp_file(0), other = dup(fd);
	struct pin *pin;

	(void)state;
	check_equal(fcntl(fd, F_SETLK, &lock), 0);
	pin = pin_or_skip(other);
	check_equal(perform_on(pin, OP_WRITE, "data", 4), 4);
	check(is_locked_for_others(fd));
	pin_put(pin);
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	check(is_locked_for_others(fd));
	/* A close in the program's table is another matter. */
	close(other);
	check(!is_locked_for_others(fd));
	close(fd);
}

/* ---- pins ---- */

static void test_file_is_written_after_its_descriptor_was_reused(void **state)
{
	int fd = temp_file(0), witness = dup(fd), reused;
	char buf[4];
	struct pin *pin = pin_or_skip(fd);

	(void)state;
	close(fd);
	reused = temp_file(0);
	check_equal(reused, fd);
	check_equal(perform_on(pin, OP_WRITE, "data", 4), 4);
	check_equal(pread(witness, buf, 4, 0), 4);
	check_memory(buf, "data", 4);
	check_equal(size_of(reused), 0);
	memset(buf, 0, sizeof(buf));
	check_equal(perform_on(pin, OP_READ, buf, 4), 4);
	check_memory(buf, "data", 4);
	check_equal(perform_on(pin, OP_FSYNC, NULL, 0), 0);
	check_equal(perform_on(pin, OP_FDATASYNC, NULL, 0), 0);
	pin_put(pin);
	close(reused);
	close(witness);
}

static void test_result_is_the_error_of_the_call(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	check_equal(perform_on(pin, OP_READ, NULL, 0), -EBADF);
	check_equal(perform_on(pin, OP_FSYNC, NULL, 0), -EINVAL);
	close(fds[0]);
	check_equal(perform_on(pin, OP_WRITE, "x", 1), -EPIPE);
	pin_put(pin);
	close(fds[1]);
}

static void test_requests_keep_their_order(void **state)
{
	static struct request requests[8];
	static char bytes[8];
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[0]);
	close(fds[0]);
	for (int i = 0; i < 8; i++) {
		make_request(&requests[i], OP_READ, &bytes[i], 1);
		pin_submit(pin, &requests[i]);
	}
	/* All of them go before the close. */
	pin_put(pin);
	write_fully(fds[1], "abcdefgh", 8);
	for (int i = 0; i < 8; i++)
		await_semaphore(&executed);
	check_memory(bytes, "abcdefgh", 8);
	close(fds[1]);
}

static void test_other_end_sees_end_of_file_after_the_last_put(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	close(fds[1]);
	check_equal(perform_on(pin, OP_WRITE, "x", 1), 1);
	read_fully(fds[0], NULL, 1);
	pin_get(pin);
	pin_put(pin);
	check_equal(perform_on(pin, OP_WRITE, "y", 1), 1);
	read_fully(fds[0], NULL, 1);
	check(!is_at_end(fds[0]));
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
}

static void test_blocked_pin_holds_up_no_other(void **state)
{
	static struct request req;
	static char byte;
	struct pin *blocked, *other;
	int fds[2], others[2];

	(void)state;
	open_pipe(fds);
	open_pipe(others);
	blocked = pin_or_skip(fds[0]);
	make_request(&req, OP_READ, &byte, 1);
	pin_submit(blocked, &req);
	other = pin_or_skip(others[1]);
	check_equal(perform_on(other, OP_WRITE, "x", 1), 1);
	write_fully(fds[1], "y", 1);
	await_semaphore(&executed);
	check_equal(byte, 'y');
	pin_put(blocked);
	pin_put(other);
	close_pair(fds);
	close_pair(others);
}

static void test_program_does_not_see_pinned_files(void **state)
{
	unsigned int nr_before;
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	nr_before = nr_descriptors_of(own_tid());
	pin = pin_or_skip(fds[1]);
	check_equal(nr_descriptors_of(own_tid()), nr_before);
	close(fds[1]);
	check_equal(nr_descriptors_of(own_tid()), nr_before - 1);
	pin_put(pin);
	close(fds[0]);
}

static void test_closed_descriptor_cannot_be_pinned(void **state)
{
	int fd = dup(STDIN_FILENO);

	(void)state;
	close(fd);
	check(!pin_table_pin(fd));
	check(!pin_table_pin(-1));
}

static void test_pins_in_a_row_leave_nothing_behind(void **state)
{
	unsigned int nr_before = nr_descriptors_of(own_tid());
	int fd = temp_file(0);
	pid_t keeper;

	(void)state;
	atomic_store(&config.idle_ns, LONG_NS);
	for (int i = 0; i < 200; i++)
		pin_put(pin_or_skip(fd));
	eventually(nr_threads_named("rtaio-", NULL) == 1);
	close(fd);
	eventually(nr_threads_named("rtaio-pins", &keeper) == 1);
	eventually(nr_descriptors_of(keeper) == 1);
	check_equal(nr_descriptors_of(own_tid()), nr_before);
}

static void test_many_pins_at_once(void **state)
{
	static struct pin *pins[200];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 200; i++)
		pins[i] = pin_or_skip(fds[1]);
	close(fds[1]);
	for (int i = 0; i < 200; i++)
		check_equal(perform_on(pins[i], OP_WRITE, "x", 1), 1);
	for (int i = 0; i < 200; i++)
		pin_put(pins[i]);
	read_fully(fds[0], NULL, 200);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
}

static void test_idle_keeper_leaves_and_comes_back(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	close(fds[1]);
	/* The pin keeps its file without the keeper. */
	eventually(nr_threads_named("rtaio-pins", NULL) == 0);
	check_equal(perform_on(pin, OP_WRITE, "x", 1), 1);
	read_fully(fds[0], NULL, 1);
	/* Another one, with another table. */
	pin_put(pin_or_skip(fds[0]));
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
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
	if (pin_table_look(own_tid(), 0) == PIN_TABLE_UNKNOWN)
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
	eventually(pin_table_look(worker.tid, fds[0]) == PIN_TABLE_INSIDE);
	check_equal(pin_table_look(worker.tid, fds[1]), PIN_TABLE_RUNNING);
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
	check_equal(pin_table_look(worker.tid, 0), PIN_TABLE_RUNNING);
	atomic_store(&worker.is_done, true);
	check_equal(pthread_join(worker.thread, NULL), 0);
}

/* This one sleeps, on a futex, until it is answered. */
static void test_thread_asleep_in_another_call_is_not_inside(void **state)
{
	(void)state;
	skip_without_syscall_file();
	check_equal(pin_table_look(own_tid(), 0), PIN_TABLE_RUNNING);
}

static void test_thread_that_does_not_exist_is_unknown(void **state)
{
	(void)state;
	check_equal(pin_table_look(0, 0), PIN_TABLE_UNKNOWN);
	check_equal(pin_table_look(getppid(), 0), PIN_TABLE_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

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
		TEST(test_record_locks_survive),
		TEST(test_file_is_written_after_its_descriptor_was_reused),
		TEST(test_result_is_the_error_of_the_call),
		TEST(test_requests_keep_their_order),
		TEST(test_other_end_sees_end_of_file_after_the_last_put),
		TEST(test_blocked_pin_holds_up_no_other),
		TEST(test_program_does_not_see_pinned_files),
		TEST(test_closed_descriptor_cannot_be_pinned),
		TEST(test_pins_in_a_row_leave_nothing_behind),
		TEST(test_many_pins_at_once),
		TEST(test_idle_keeper_leaves_and_comes_back),
		TEST(test_thread_blocked_in_a_read_is_inside),
		TEST(test_thread_that_runs_is_not_inside),
		TEST(test_thread_asleep_in_another_call_is_not_inside),
		TEST(test_thread_that_does_not_exist_is_unknown),
	};

	become_engine(SHORT_NS);
	return cmocka_run_group_tests_name("pin_table", tests, NULL, NULL);
}
