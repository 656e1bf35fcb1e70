// SPDX-License-Identifier: MIT
/*
 * test_sigxfsz.c - RLIMIT_FSIZE is an error of the request, not a signal
 *
 * A write past RLIMIT_FSIZE raises SIGXFSZ in the thread that makes it, and so
 * does submitting such a write to the kernel.  A request of AIO transfers what
 * fits and ends with EFBIG after that, and no thread of the program sees a
 * signal.  The limit may change at any time, even by another process.
 */
#include "registers.h"
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LIMIT (64 * 1024)

static atomic_int nr_signals;

static void count_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&nr_signals, 1);
}

static void set_limit(void)
{
	struct rlimit limit = { LIMIT, RLIM_INFINITY };

	check_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Across the limit, at it, beyond it, and many at once. */
static void check_limit(int fd)
{
	char *buf = direct_buffer(8192);
	struct aiocb cb, batch[16];

	submit_write(&cb, fd, buf, 8192, LIMIT - 4096);
	check_equal(outcome(&cb), 4096);
	submit_write(&cb, fd, buf, 8192, LIMIT);
	check_equal(outcome(&cb), -EFBIG);
	submit_write(&cb, fd, buf, 4096, 10 * LIMIT);
	check_equal(outcome(&cb), -EFBIG);
	for (int i = 0; i < 16; i++)
		submit_write(&batch[i], fd, buf, 8192, LIMIT + i * 8192);
	for (int i = 0; i < 16; i++)
		check_equal(outcome(&batch[i]), -EFBIG);
	submit_write(&cb, fd, buf, 8192, 0);
	check_equal(outcome(&cb), 8192);
	check(!is_pending(SIGXFSZ));
	free(buf);
}

static void check_append(int flags)
{
	int fd = flags ? direct_file(LIMIT - 4096, flags) : temp_file(O_APPEND);
	char *buf = direct_buffer(8192);
	struct aiocb cb;

	if (fd < 0)
		return;
	if (!flags)
		check_equal(ftruncate(fd, LIMIT - 4096), 0);
	submit_write(&cb, fd, buf, 8192, 0);
	check_equal(outcome(&cb), 4096);
	submit_write(&cb, fd, buf, 8192, 0);
	check_equal(outcome(&cb), -EFBIG);
	free(buf);
	close(fd);
}

static void check_every_kind_of_file(void)
{
	int direct = direct_file(0, 0);
	int file = temp_file(0);
	int memory = memory_file();

	check_limit(file);
	if (direct >= 0)
		check_limit(direct);
	check_limit(memory);
	check_append(0);
	check_append(O_APPEND);
	close(direct);
	close(file);
	close(memory);
}

/* ---- by disposition of SIGXFSZ ---- */

static int survive_by_default(void)
{
	signal(SIGXFSZ, SIG_DFL);
	set_limit();
	check_every_kind_of_file();
	return 0;
}

static int never_run_handler(void)
{
	handle_signal(SIGXFSZ, count_signal, 0);
	set_limit();
	check_every_kind_of_file();
	check_equal(nr_signals, 0);
	/* The program's own write still gets its signal. */
	check_equal(pwrite(temp_file(0), "x", 1, LIMIT), -1);
	check_equal(errno, EFBIG);
	check_equal(nr_signals, 1);
	return 0;
}

static int leave_nothing_pending(void)
{
	handle_signal(SIGXFSZ, count_signal, 0);
	change_mask(SIG_BLOCK, SIGXFSZ);
	set_limit();
	check_every_kind_of_file();
	check(!is_pending(SIGXFSZ));
	change_mask(SIG_UNBLOCK, SIGXFSZ);
	check_equal(nr_signals, 0);
	return 0;
}

TEST_IN_CHILD(test_file_size_limit_does_not_kill_the_program, survive_by_default, 20000)
TEST_IN_CHILD(test_file_size_limit_does_not_run_a_handler, never_run_handler, 20000)
TEST_IN_CHILD(test_file_size_limit_leaves_no_signal_pending, leave_nothing_pending, 20000)

/* ---- a limit that comes while AIO is in use ---- */

/* Writes that were fast and harmless before the limit came. */
static void warm_up(void)
{
	use_aio();
	use_aio();
}

static int limit_set_later(void)
{
	warm_up();
	set_limit();
	check_every_kind_of_file();
	return 0;
}

/* Another process lowers the limit: nothing in this one can see the call. */
static int limit_set_from_outside(void)
{
	struct rlimit limit = { LIMIT, RLIM_INFINITY };
	pid_t pid;

	warm_up();
	pid = fork();
	if (!pid)
		_exit(prlimit(getppid(), RLIMIT_FSIZE, &limit, NULL) != 0);
	check_child(pid);
	check_every_kind_of_file();
	return 0;
}

static int limit_taken_away(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char *buf = direct_buffer(8192);
	int fd = temp_file(0);
	struct aiocb cb;

	set_limit();
	check_limit(fd);
	check_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	submit_write(&cb, fd, buf, 8192, LIMIT);
	check_equal(outcome(&cb), 8192);
	return 0;
}

#define NR_CHANGES 500

/* Each time just after a write for which there was none. */
static int limit_set_after_a_write(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = memory_file();
	struct aiocb before, after;

	handle_signal(SIGXFSZ, count_signal, 0);
	for (int i = 0; i < NR_CHANGES; i++) {
		check_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		submit_write(&before, fd, "x", 1, LIMIT);
		check_equal(outcome(&before), 1);
		set_limit();
		submit_write(&after, fd, "x", 1, LIMIT);
		check_equal(outcome(&after), -EFBIG);
	}
	check_equal(nr_signals, 0);
	return 0;
}

TEST_IN_CHILD(test_file_size_limit_set_after_use_of_aio, limit_set_later, 20000)
TEST_IN_CHILD(test_file_size_limit_set_just_after_a_write, limit_set_after_a_write, 20000)
TEST_IN_CHILD(test_file_size_limit_set_by_another_process, limit_set_from_outside, 20000)
TEST_IN_CHILD(test_file_size_limit_taken_away, limit_taken_away, 20000)

/* ---- a limit that comes while somebody asks for it ---- */

static volatile sig_atomic_t is_limited;

/* The first call that asks in this thread is told that there is none, and then there is one. */
static void answer_and_limit(int signo, siginfo_t *info, void *context_)
{
	ucontext_t *context = context_;
	struct rlimit *answer = (struct rlimit *)(uintptr_t)call_argument(context, 3);

	(void)signo;
	(void)info;
	*answer = (struct rlimit){ is_limited ? LIMIT : RLIM_INFINITY, RLIM_INFINITY };
	set_call_result(context, 0);
	if (!is_limited)
		set_limit();
	is_limited = true;
}

#define LOW_WORD_OF(argument) (offsetof(struct seccomp_data, args) + 8 * (argument))
#define HALF_IS(offset, value)                                      \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)(offset)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 1, 0), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* prlimit(0, RLIMIT_FSIZE, NULL, ...) gives SIGSYS in this thread. */
static void trap_questions(void)
{
	struct sock_filter filter[] = {
		HALF_IS(offsetof(struct seccomp_data, nr), SYS_prlimit64),
		HALF_IS(LOW_WORD_OF(1), RLIMIT_FSIZE),
		HALF_IS(LOW_WORD_OF(2), 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};
	struct sigaction action = { .sa_sigaction = answer_and_limit, .sa_flags = SA_SIGINFO };

	check_equal(sigaction(SIGSYS, &action, NULL), 0);
	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* The first write may ask; the second one, at once, is beyond the limit in any case. */
static int limit_set_amid_a_question(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	int fds[] = { temp_file(0), memory_file() };
	struct aiocb before, after;

	warm_up();
	handle_signal(SIGXFSZ, count_signal, 0);
	trap_questions();
	for (int i = 0; i < 200; i++) {
		check_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		is_limited = false;
		submit_write(&before, fds[i % 2], "x", 1, 0);
		if (!is_limited)
			set_limit();
		submit_write(&after, fds[i % 2], "x", 1, LIMIT);
		check_equal(outcome(&before), 1);
		check_equal(outcome(&after), -EFBIG);
	}
	check_equal(nr_signals, 0);
	return 0;
}

TEST_IN_CHILD(test_file_size_limit_set_while_it_is_asked_for, limit_set_amid_a_question, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_size_limit_does_not_kill_the_program),
		cmocka_unit_test(test_file_size_limit_does_not_run_a_handler),
		cmocka_unit_test(test_file_size_limit_leaves_no_signal_pending),
		cmocka_unit_test(test_file_size_limit_set_after_use_of_aio),
		cmocka_unit_test(test_file_size_limit_set_just_after_a_write),
		cmocka_unit_test(test_file_size_limit_set_by_another_process),
		cmocka_unit_test(test_file_size_limit_taken_away),
		cmocka_unit_test(test_file_size_limit_set_while_it_is_asked_for),
	};

	return cmocka_run_group_tests_name("sigxfsz", tests, NULL, NULL);
}
