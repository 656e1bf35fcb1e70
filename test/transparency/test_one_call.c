// SPDX-License-Identifier: MIT
/*
 * test_one_call.c - a request on a file is one system call, as others see it
 *
 * The kernel has calls that do not wait.  They may do a part, or nothing at all, or
 * refuse, where a plain call does everything.  Who continues such a part later makes
 * two calls of one: an appended record is torn, and half a write can be seen.
 *
 * A seccomp filter plays the kernels and file systems that answer so.  Nothing is
 * filtered where a plain call is made at once.
 */
#include "transparency.h"

#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define PAGE 4096
#define SIZE (16 * PAGE)
#define OURS 0x6f757273u /* sixth argument of io_submit, which has three */
#define NR   100

/* ---- calls that are answered in place of the kernel ---- */

/* Of seccomp_data the lower half of an argument. */
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define UNLESS(what, value, skip)                   \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (what)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (skip))

static void install(struct sock_filter *filter, size_t len)
{
	struct sock_fprog program = { .filter = filter, .len = (unsigned short)len };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

typedef long play_fn(const ucontext_t *context);

static play_fn *play;

static long argument(const ucontext_t *context, int i)
{
#ifdef __x86_64__
	static const int registers[] = { REG_RDI, REG_RSI, REG_RDX };

	return context->uc_mcontext.gregs[registers[i]];
#else
	return (long)context->uc_mcontext.regs[i];
#endif
}

static void on_trapped(int signo, siginfo_t *info, void *context_)
{
	ucontext_t *context = context_;
	long res = play(context);

	(void)signo;
	(void)info;
#ifdef __x86_64__
	context->uc_mcontext.gregs[REG_RAX] = res;
#else
	context->uc_mcontext.regs[0] = (unsigned long)res;
#endif
}

static void play_by(play_fn *function)
{
	struct sigaction action = { .sa_sigaction = on_trapped, .sa_flags = SA_SIGINFO };

	play = function;
	check_equal(sigaction(SIGSYS, &action, NULL), 0);
}

/* ---- a file on a disk, and another process's descriptor of it ---- */

static int fd, others;
static char buf[SIZE];

static bool make_file(size_t size, int flags)
{
	fd = direct_file(size, 0);
	if (fd < 0) {
		printf("no file here that the page cache can lose");
		return false;
	}
	others = reopen(fd, O_RDWR);
	check_equal(fcntl(fd, F_SETFL, flags), 0);
	return true;
}

static ssize_t write_all(const void *what, size_t size, off_t offset)
{
	struct aiocb cb;

	submit_write(&cb, fd, what, size, offset);
	return outcome(&cb);
}

static void check_is_all(const char *what, char value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		check_equal(what[i], value);
}

/* ---- Linux AIO ---- */

static int nr_nowait;

static void count_nowait(struct iocb **list, long nr)
{
	for (long i = 0; i < nr; i++)
		nr_nowait += list[i]->aio_lio_opcode == IOCB_CMD_PWRITE &&
			     list[i]->aio_rw_flags & RWF_NOWAIT;
}

/*
 * Writes that do not wait are refused by their events: ext4 answers so where the file is not
 * in direct mode.
 */
static long submit_buffered(const ucontext_t *context)
{
	long context_id = argument(context, 0), nr = argument(context, 1);
	long list = argument(context, 2), res;

	count_nowait((struct iocb **)list, nr);
	check_equal(fcntl(fd, F_SETFL, 0), 0);
	res = syscall(SYS_io_submit, context_id, nr, list, 0L, 0L, (long)OURS);
	check_equal(fcntl(fd, F_SETFL, O_DIRECT), 0);
	return res < 0 ? -errno : res;
}

static int write_refused_by_event(void)
{
	struct sock_filter filter[] = {
		UNLESS(offsetof(struct seccomp_data, nr), SYS_io_submit, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(5)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	char *block = direct_buffer(PAGE);

	if (!make_file(SIZE, O_DIRECT))
		return CHILD_SKIPPED;
	play_by(submit_buffered);
	install(filter, sizeof(filter) / sizeof(*filter));
	for (int i = 0; i < NR; i++) {
		memset(block, 'a' + i % 26, PAGE);
		check_equal(write_all(block, PAGE, i % 4 * PAGE), PAGE);
		check_equal(pread(others, buf, PAGE, i % 4 * PAGE), PAGE);
		check_is_all(buf, (char)('a' + i % 26), PAGE);
	}
	/* Once is enough to know it. */
	check(nr_nowait <= 1);
	return 0;
}

TEST_OR_SKIP(test_write_that_its_event_refuses_is_made, write_refused_by_event, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_that_its_event_refuses_is_made),
	};

	return cmocka_run_group_tests_name("one_call", tests, NULL, NULL);
}
