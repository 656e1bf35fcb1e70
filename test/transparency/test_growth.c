// SPDX-License-Identifier: MIT
/*
 * test_growth.c - a program that runs for long does not grow
 *
 * Lists without end, requests that fail, kernel interfaces that are refused
 * halfway, and helpers that come and go leave no memory, mapping, fd or thread
 * behind, and take no more of the system's share of Linux AIO.
 */
#include "transparency.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- what may grow ---- */

struct size {
	long anon_kib, mappings, fds, tasks;
	long aio_nr; /* of the whole system: other programs have their part */
};

#define ANON_MAX_KIB (4 * 1024)
#define MAPPINGS_MAX 40 /* arenas and stacks that the C library keeps; fewer than NR_STARTS */
#define AIO_NR_MAX   8192

static long number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "r");
	char line[256];
	long value = -1;

	check(file != NULL);
	while (value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtol(line + strlen(name), NULL, 10);
	fclose(file);
	return value;
}

static long nr_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	long nr = 0;
	int c;

	check(file != NULL);
	while ((c = getc(file)) != EOF)
		nr += c == '\n';
	fclose(file);
	return nr;
}

static long nr_entries(const char *path)
{
	DIR *dir = opendir(path);
	long nr = 0;

	check(dir != NULL);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static struct size measure(void)
{
	return (struct size){
		.anon_kib = number_in("/proc/self/status", "RssAnon:"),
		.mappings = nr_lines("/proc/self/maps"),
		.fds = nr_entries("/proc/self/fd"),
		.tasks = nr_threads(),
		.aio_nr = number_in("/proc/sys/fs/aio-nr", ""),
	};
}

/* Helpers that are about to leave have what they need until then. */
static void check_no_larger(const struct size *before)
{
	struct size now = measure();

	eventually(nr_threads() <= before->tasks);
	eventually(measure().fds <= before->fds);
	eventually(measure().anon_kib <= before->anon_kib + ANON_MAX_KIB);
	eventually(measure().mappings <= before->mappings + MAPPINGS_MAX);
	if (before->aio_nr >= 0 && now.aio_nr > before->aio_nr + AIO_NR_MAX)
		eventually(measure().aio_nr <= before->aio_nr + AIO_NR_MAX);
}

/* With nobody left, and all the memory that is kept for good. */
static struct size measure_at_rest(void)
{
	eventually(nr_threads() == 1);
	return measure();
}

/* ---- lists ---- */

#define NR_LISTS 200000
#define EACH     16 /* of so many lists one has to wait */

static void do_list(int i, int file, int fds[2])
{
	static struct aiocb cbs[2];
	static char bufs[2][512];
	struct aiocb *list[] = { &cbs[0], &cbs[1] };
	int nr = i % EACH == 0 ? 2 : 1;

	aiocb_init_lio(&cbs[0], LIO_READ, file, bufs[0], 512, i % 8 * 512);
	aiocb_init_lio(&cbs[1], LIO_READ, fds[0], bufs[1], 1, 0);
	if (nr == 2)
		write_fully(fds[1], "x", 1);
	check_equal(lio_listio(LIO_NOWAIT, list, nr, NULL), 0);
	for (int j = 0; j < nr; j++)
		check_equal(outcome(&cbs[j]), j ? 1 : 512);
}

static int do_lists(void)
{
	int file = temp_file_filled(4096), fds[2];
	struct size before;

	open_pipe(fds);
	for (int i = 0; i < NR_LISTS / 20; i++)
		do_list(i, file, fds);
	before = measure_at_rest();
	for (int i = 0; i < NR_LISTS; i++)
		do_list(i, file, fds);
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_lists_without_end_do_not_grow, do_lists, 240000)

/* ---- syncs ---- */

#define NR_SYNCED 2
#define NR_SYNCS  16000

/* Of files in memory, which have nothing to write; those of one file would be one call. */
static void do_syncs(int nr, const int files[NR_SYNCED])
{
	static struct aiocb cbs[NR_SYNCED];

	for (int i = 0; i < nr; i += NR_SYNCED) {
		for (int j = 0; j < NR_SYNCED; j++) {
			aiocb_init(&cbs[j], files[j], NULL, 0, 0);
			check_equal(aio_fsync(O_SYNC, &cbs[j]), 0);
		}
		for (int j = 0; j < NR_SYNCED; j++)
			check_equal(outcome(&cbs[j]), 0);
	}
}

static int sync_often(void)
{
	int files[NR_SYNCED];
	struct size before;

	for (int j = 0; j < NR_SYNCED; j++)
		files[j] = memory_file();
	do_syncs(NR_SYNCS / 20, files);
	before = measure_at_rest();
	do_syncs(NR_SYNCS, files);
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_syncs_without_end_do_not_grow, sync_often, 120000)

/* ---- callbacks ---- */

#define NR_CALLBACKS 12000
#define NR_AT_ONCE   8

static sem_t called_back;

static void call_back(union sigval value)
{
	(void)value;
	sem_post(&called_back);
}

static void do_callbacks(int nr, int file, pthread_attr_t *attributes)
{
	static struct aiocb cbs[NR_AT_ONCE];
	static char bytes[NR_AT_ONCE];

	for (int i = 0; i < nr; i += NR_AT_ONCE) {
		for (int j = 0; j < NR_AT_ONCE; j++) {
			aiocb_init(&cbs[j], file, &bytes[j], 1, j);
			cbs[j].aio_sigevent.sigev_notify = SIGEV_THREAD;
			cbs[j].aio_sigevent.sigev_notify_function = call_back;
			cbs[j].aio_sigevent.sigev_notify_attributes = attributes;
			check_equal(aio_read(&cbs[j]), 0);
		}
		for (int j = 0; j < NR_AT_ONCE; j++) {
			check_equal(outcome(&cbs[j]), 1);
			while (sem_wait(&called_back) < 0)
				check_equal(errno, EINTR);
		}
	}
}

/* Each has a copy of the attributes, of which a set of processors takes most. */
static int call_back_often(void)
{
	int file = temp_file_filled(4096);
	pthread_attr_t attributes;
	struct size before;
	cpu_set_t cpus;

	check_equal(sem_init(&called_back, 0, 0), 0);
	check_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	check_equal(pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus), 0);
	do_callbacks(NR_CALLBACKS / 20, file, &attributes);
	before = measure_at_rest();
	do_callbacks(NR_CALLBACKS, file, &attributes);
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_callbacks_without_end_do_not_grow, call_back_often, 120000)

/* ---- cancellations and closes ---- */

#define NR_CALLS 25000

static struct aiocb blocked;
static char blocked_byte;

/* A signal that is ignored is sent all the same. */
static void submit_blocked(int fd)
{
	aiocb_init(&blocked, fd, &blocked_byte, 1, 0);
	notify_by_signal(&blocked.aio_sigevent, SIGUSR1, 0);
	check_equal(aio_read(&blocked), 0);
}

static void do_cancels(int nr, int fds[2])
{
	for (int i = 0; i < nr; i++) {
		submit_blocked(fds[0]);
		if (aio_cancel(fds[0], NULL) != AIO_CANCELED)
			write_fully(fds[1], "x", 1);
		await(&blocked);
	}
}

static int cancel_often(void)
{
	struct size before;
	int fds[2];

	signal(SIGUSR1, SIG_IGN);
	open_pipe(fds);
	do_cancels(NR_CALLS / 20, fds);
	before = measure_at_rest();
	do_cancels(NR_CALLS, fds);
	check_no_larger(&before);
	return 0;
}

static void do_closes(int nr)
{
	int fds[2];

	for (int i = 0; i < nr; i++) {
		open_pipe(fds);
		submit_blocked(fds[0]);
		check_equal(close(fds[0]), 0);
		check(write(fds[1], "x", 1) == 1 || errno == EPIPE);
		close(fds[1]);
		await(&blocked);
	}
}

static int close_often(void)
{
	struct size before;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	do_closes(NR_CALLS / 20);
	before = measure_at_rest();
	do_closes(NR_CALLS);
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_cancels_without_end_do_not_grow, cancel_often, 120000)
TEST_IN_CHILD(test_closes_without_end_do_not_grow, close_often, 120000)

/* ---- requests that fail ---- */

#define NR_FAILURES 50

static void fail_on_streams(void)
{
	int unconnected = socket(AF_UNIX, SOCK_STREAM, 0), fds[2];
	char byte;

	open_pipe(fds);
	write_fully(fds[1], "x", 1);
	check_read_fails(fds[0], (void *)1, 1, 0, EFAULT);
	check_read_fails(fds[1], &byte, 1, 0, EBADF);
	check_read_fails(unconnected, &byte, 1, 0, EINVAL);
	close_pair(fds);
	close(unconnected);
	open_socketpair(fds, SOCK_DGRAM);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	check_read_fails(fds[0], &byte, 1, 0, EAGAIN);
	check_read_fails(-1, &byte, 1, 0, EBADF);
	close_pair(fds);
}

static int fail_often(void)
{
	struct size before;

	fail_on_streams();
	before = measure_at_rest();
	for (int i = 0; i < NR_FAILURES; i++)
		fail_on_streams();
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_failing_stream_reads_do_not_grow, fail_often, 30000)

/* ---- helpers that come and go ---- */

#define NR_STARTS 60
#define LEAVE_MS  40

static void leave_at_once(void)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = -1 };

	aio_init(&init);
}

static void use_often(int nr)
{
	for (int i = 0; i < nr; i++) {
		use_aio();
		/* Most are gone by then; for the last one it need not be waited. */
		(void)becomes_true(nr_threads() == 1, LEAVE_MS);
	}
}

static int start_often(void)
{
	struct size before;

	leave_at_once();
	use_often(5);
	before = measure_at_rest();
	use_often(NR_STARTS);
	check_no_larger(&before);
	return 0;
}

TEST_IN_CHILD(test_helpers_that_come_and_go_do_not_grow, start_often, 120000)

/* ---- kernel interfaces that are refused halfway ---- */

#define REFUSE(nr)                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* Rings and contexts can be made, but not be used. */
static void refuse_use(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_io_uring_enter),
		REFUSE(SYS_io_uring_register),
		REFUSE(SYS_io_submit),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    &program),
		    0);
}

static void refuse_memory(void)
{
	struct rlimit none = { 0 };

	become_nobody();
	check_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
}

static int use_with(void (*refuse)(void))
{
	struct size before;

	refuse();
	leave_at_once();
	use_often(5);
	before = measure_at_rest();
	use_often(NR_STARTS);
	check_no_larger(&before);
	return 0;
}

static int use_without_entering(void)
{
	return use_with(refuse_use);
}

static int use_without_memory(void)
{
	return use_with(refuse_memory);
}

/* RTAIO_BACKEND=io_uring and libaio would rightly refuse to serve. */
static int run_as_auto(void *function)
{
	const char *backend = getenv("RTAIO_BACKEND");

	if (backend && strcmp(backend, "threads"))
		setenv("RTAIO_BACKEND", "auto", 1);
	return ((int (*)(void))function)();
}

static void test_refused_rings_and_contexts_do_not_grow(void **state)
{
	(void)state;
	support_check_child(in_child_with(run_as_auto, (void *)use_without_entering, 120000),
			    "refused", __FILE__, __LINE__);
}

static void test_missing_locked_memory_does_not_grow(void **state)
{
	(void)state;
	support_check_child(in_child_with(run_as_auto, (void *)use_without_memory, 120000),
			    "no memory", __FILE__, __LINE__);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_without_end_do_not_grow),
		cmocka_unit_test(test_syncs_without_end_do_not_grow),
		cmocka_unit_test(test_callbacks_without_end_do_not_grow),
		cmocka_unit_test(test_cancels_without_end_do_not_grow),
		cmocka_unit_test(test_closes_without_end_do_not_grow),
		cmocka_unit_test(test_failing_stream_reads_do_not_grow),
		cmocka_unit_test(test_helpers_that_come_and_go_do_not_grow),
		cmocka_unit_test(test_refused_rings_and_contexts_do_not_grow),
		cmocka_unit_test(test_missing_locked_memory_does_not_grow),
	};

	return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
