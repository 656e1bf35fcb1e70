// SPDX-License-Identifier: MIT
/*
 * held_calls.c - system calls that wait until the test answers them
 */
#include "held_calls.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support.h"

static int listener;

bool held_calls_filter(struct sock_filter *filter, size_t nr)
{
	struct sock_fprog program = { .len = (unsigned short)nr, .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		printf("no notifications of seccomp here");
	return listener >= 0;
}

bool held_calls_begin(int first, int second)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)first, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)second, 0, 1),
		HOLD_THEM,
		MAKE_THEM,
	};

	return held_calls_filter(filter, sizeof(filter) / sizeof(*filter));
}

bool held_calls_has_one(void)
{
	struct pollfd event = { .fd = listener, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

void held_calls_take(struct seccomp_notif *call)
{
	eventually(held_calls_has_one());
	memset(call, 0, sizeof(*call));
	check_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call), 0);
}

static void respond(struct seccomp_notif_resp response)
{
	check_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
}

void held_calls_answer(const struct seccomp_notif *call, int err)
{
	respond((struct seccomp_notif_resp){ .id = call->id, .error = -err });
}

void held_calls_let_go_on(const struct seccomp_notif *call)
{
	respond((struct seccomp_notif_resp){ .id = call->id,
					     .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE });
}
