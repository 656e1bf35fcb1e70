// SPDX-License-Identifier: MIT
/*
 * test_context.c - contexts of Linux AIO, which are the machine's
 *
 * A library may make one, behind the program's back.  The kernel may take its time
 * for it, and grants the whole machine so many events: no call waits for it, and many
 * processes leave something for the others.
 */
#include "held_calls.h"
#include "transparency.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>

#define BLOCK     4096
#define NR_READS  100
#define NR_OTHERS 320
#define AT_A_TIME 16  /* start; a context takes time, but no processor time */
#define NR_EVENTS 128 /* that one of the others asks for itself */

/* Enough for whatever learns from the first ones. */
static void read_directly(int fd)
{
	char *buf = direct_buffer(BLOCK);
	struct aiocb cb;

	for (int i = 0; i < NR_READS; i++) {
		submit_read(&cb, fd, buf, BLOCK, 0);
		check_equal(outcome(&cb), BLOCK);
	}
	free(buf);
}

/* A call of io_setup from here on waits for ever. */
static bool hold_up_contexts(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 0, 3),
		/* It is allowed to ask for nothing, which fails at once. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		HOLD_THEM,
		MAKE_THEM,
	};

	return held_calls_filter(filter, sizeof(filter) / sizeof(filter[0]));
}

/* Each child has the filter, and one engine, if any, to start. */
static int use_while_contexts_are_held_up(void)
{
	int file = direct_file(BLOCK, 0);

	if (file < 0)
		printf("no O_DIRECT here");
	if (file < 0 || !hold_up_contexts())
		return CHILD_SKIPPED;
	use_aio();
	read_directly(file);
	check_equal(close(file), 0);
	use_aio();
	return 0;
}

TEST_OR_SKIP(test_no_call_waits_for_a_context_of_linux_aio, use_while_contexts_are_held_up, 20000)

static void read_and_stay(int fd, int ready, int stay)
{
	char byte = 'x';

	read_directly(fd);
	check_equal(write(ready, &byte, 1), 1);
	check_equal(read(stay, &byte, 1), 0);
	_exit(0);
}

/* As a database would that is started while they run. */
static int ask_beside_many(void)
{
	int file = direct_file(BLOCK, 0), ready[2], stay[2];
	pid_t pids[NR_OTHERS];
	aio_context_t context = 0;
	char byte;
	long ret;

	if (file < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	open_pipe(ready);
	open_pipe(stay);
	for (int i = 0; i < NR_OTHERS; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (pids[i] == 0) {
			close(stay[1]);
			read_and_stay(file, ready[1], stay[0]);
		}
		if (i >= AT_A_TIME)
			check_equal(read(ready[0], &byte, 1), 1);
	}
	for (int i = 0; i < AT_A_TIME; i++)
		check_equal(read(ready[0], &byte, 1), 1);
	ret = syscall(SYS_io_setup, NR_EVENTS, &context);
	close(stay[1]);
	for (int i = 0; i < NR_OTHERS; i++)
		check_child(pids[i]);
	check_equal(ret, 0);
	return 0;
}

TEST_OR_SKIP(test_many_processes_leave_contexts_for_others, ask_beside_many, 120000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_call_waits_for_a_context_of_linux_aio),
		cmocka_unit_test(test_many_processes_leave_contexts_for_others),
	};

	return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
