// SPDX-License-Identifier: MIT
/*
 * test_allow_list.c - AIO in a process that a seccomp filter ends at any system call but those of a
 * list
 *
 * The list is what glibc's AIO needs and what rtaio(7) says that RTAIO_BACKEND=threads
 * needs beyond that; the manual has the same list.  This program runs itself with that
 * variable, which glibc does not read.  The filter comes before the first use of AIO,
 * or while it is in use.
 */
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* glibc's AIO, its threads and its heap. */
static const int glibc_calls[] = {
	SYS_brk,
	SYS_clock_gettime,
	SYS_clone,
	SYS_clone3,
	SYS_exit,
	SYS_exit_group,
	SYS_fcntl,
	SYS_fdatasync,
	SYS_fsync,
	SYS_futex,
	SYS_getpid,
	SYS_getrandom,
	SYS_getuid,
	SYS_mmap,
	SYS_mprotect,
	SYS_munmap,
	SYS_pread64,
	SYS_pwrite64,
	SYS_read,
	SYS_restart_syscall,
	SYS_rseq,
	SYS_rt_sigprocmask,
	SYS_rt_sigqueueinfo,
	SYS_rt_sigreturn,
	SYS_sched_getparam,
	SYS_sched_getscheduler,
	SYS_sched_setscheduler,
	SYS_set_robust_list,
	SYS_write,
};

/* The system calls of this program itself. */
static const int own_calls[] = {
	SYS_close,        SYS_clock_nanosleep, SYS_dup,        SYS_pipe2,
	SYS_rt_sigaction, SYS_seccomp,         SYS_socketpair,
};

/* The calls that rtaio(7), "Sandboxes that kill", names, in the same order: for requests, */
static const int request_calls[] = {
	SYS_fstatfs,
	SYS_getpriority,
	SYS_getrusage,
	SYS_getsockopt,
	SYS_gettid,
	SYS_ioctl,
	SYS_ioprio_get,
	SYS_ioprio_set,
	SYS_kill,
	SYS_madvise,
	SYS_ppoll,
	SYS_prctl,
	SYS_preadv,
	SYS_preadv2,
	SYS_prlimit64,
	SYS_pwritev2,
	SYS_readlinkat,
	SYS_sched_getaffinity,
	SYS_sched_setaffinity,
	SYS_sched_yield,
	SYS_setpriority,
	SYS_statx,
	SYS_fstat,
};

/* for a descriptor that is closed amid requests, */
static const int closing_calls[] = {
	SYS_close, SYS_close_range, SYS_kcmp, SYS_nanosleep, SYS_openat, SYS_pidfd_open,
};

/* and for messages and statistics. */
static const int message_calls[] = {
	SYS_rt_sigpending,
	SYS_rt_sigtimedwait,
};

/* ---- the filter ---- */

static struct sock_filter filter[256] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};
static unsigned short filter_len = 1;

static void allow(const int calls[], size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		filter[filter_len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								    (unsigned int)calls[i], 0, 1);
		filter[filter_len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
}

#define ALLOW(calls) allow(calls, sizeof(calls) / sizeof((calls)[0]))

/* For all threads. */
static void kill_at_others(bool is_plain)
{
	struct sock_fprog program = { .filter = filter };

	ALLOW(glibc_calls);
	ALLOW(own_calls);
	ALLOW(request_calls);
	if (!is_plain) {
		ALLOW(closing_calls);
		ALLOW(message_calls);
	}
	filter[filter_len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program.len = filter_len;
	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    &program),
		    0);
}

/* ---- the fresh program ---- */

#define FILE_FD   20
#define DIRECT_FD 21
#define NR_READS  8

static char *memory;
static sem_t has_called_back;

static void call_back(union sigval value)
{
	(void)value;
	sem_post(&has_called_back);
}

static void use_descriptor(int fd)
{
	struct aiocb cb, *entries[] = { &cb };

	submit_write(&cb, fd, memory, 4096, 0);
	check_equal(outcome(&cb), 4096);
	submit_read(&cb, fd, memory, 4096, 4096);
	check_equal(outcome(&cb), 4096);
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	aiocb_init_lio(&cb, LIO_READ, fd, memory, 4096, 0);
	check_equal(lio_listio(LIO_WAIT, entries, 1, NULL), 0);
	check_equal(outcome(&cb), 4096);
}

/* What is closed while requests wait is looked after. */
static void close_amid_reads(int fd)
{
	struct aiocb reads[NR_READS];
	int copy = dup(fd);

	for (int i = 0; i < NR_READS; i++)
		submit_read(&reads[i], copy, memory + 4096 * i, 4096, 4096 * i);
	close(copy);
	for (int i = 0; i < NR_READS; i++) {
		ssize_t result = outcome(&reads[i]);

		/* glibc begins the later ones when the descriptor is closed already. */
		check(result == 4096 || result == -EBADF);
	}
}

static void use_stream(int fds[2])
{
	static struct aiocb in, out, queued;
	static char byte;

	aiocb_init(&in, fds[0], &byte, 1, 0);
	notify_by_thread(&in.aio_sigevent, call_back, NULL);
	check_equal(aio_read(&in), 0);
	submit_read(&queued, fds[0], &byte, 1, 0);
	check(aio_cancel(fds[0], &queued) >= 0);
	check_equal(outcome(&queued), -ECANCELED);
	aiocb_init(&out, fds[1], "x", 1, 0);
	notify_by_signal(&out.aio_sigevent, SIGUSR1, 1);
	check_equal(aio_write(&out), 0);
	check_equal(outcome(&out), 1);
	check_equal(outcome(&in), 1);
	await_semaphore(&has_called_back);
	close_pair(fds);
}

/* Plain is what closes nothing amid requests. */
static void use_everything(bool is_plain)
{
	int fds[2];

	for (int i = 0; i < 3; i++) {
		for (int fd = FILE_FD; fd <= DIRECT_FD && fcntl(fd, F_GETFD) >= 0; fd++) {
			use_descriptor(fd);
			if (!is_plain)
				close_amid_reads(fd);
		}
		open_pipe(fds);
		use_stream(fds);
		open_socketpair(fds, SOCK_STREAM);
		use_stream(fds);
	}
}

static int live_in_sandbox(const char *moment)
{
	bool is_plain = strcmp(moment, "plain") == 0;

	memory = direct_buffer(NR_READS * 4096);
	sem_init(&has_called_back, 0, 0);
	signal(SIGUSR1, SIG_IGN);
	if (strcmp(moment, "late") == 0)
		use_everything(false);
	kill_at_others(is_plain);
	use_everything(is_plain);
	_exit(0);
}

/* ---- the program runs itself ---- */

struct world {
	const char *moment;
	int file, direct;
};

static int enter_world(void *arg)
{
	const struct world *world = arg;

	check_equal(dup2(world->file, FILE_FD), FILE_FD);
	if (world->direct >= 0)
		check_equal(dup2(world->direct, DIRECT_FD), DIRECT_FD);
	setenv("RTAIO_BACKEND", "threads", 1);
	if (strcmp(world->moment, "plain") != 0) {
		setenv("RTAIO_VERBOSE", "1", 1);
		setenv("RTAIO_STATS", "1", 1);
	}
	execl(own_program(), "test_allow_list", world->moment, NULL);
	return 1;
}

static void check_moment(const char *moment)
{
	struct world world = { moment, temp_file_filled(65536), direct_file(65536, 0) };

	if (prctl(PR_GET_SECCOMP) < 0)
		skip_because("the kernel has no seccomp filters");
	support_check_child(in_child_with(enter_world, &world, 30000), moment, __FILE__, __LINE__);
	close(world.file);
	close(world.direct);
}

static void test_threads_serve_in_a_sandbox_that_kills(void **state)
{
	(void)state;
	check_moment("plain");
	check_moment("early");
}

static void test_threads_survive_a_sandbox_that_kills(void **state)
{
	(void)state;
	check_moment("late");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_serve_in_a_sandbox_that_kills),
		cmocka_unit_test(test_threads_survive_a_sandbox_that_kills),
	};

	if (argc == 2)
		return live_in_sandbox(argv[1]);
	return cmocka_run_group_tests_name("allow_list", tests, NULL, NULL);
}
