// SPDX-License-Identifier: MIT
/*
 * test_uring_refusal.c - why io_uring does not serve, by the error and the process
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "engine/uring_refusal.h"
#include "support.h"

static bool names_filter(int err)
{
	return strstr(uring_refusal(err).reason, "seccomp") != NULL;
}

static int enter_sandbox(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &all };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	check(names_filter(EPERM));
	return 0;
}

static void test_sysctl_is_told_from_a_sandbox(void **state)
{
	(void)state;
	check_in_child(enter_sandbox, 5000);
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		skip_because("this process is in a sandbox");
	check(!names_filter(EPERM));
	check(names_filter(EACCES));
}

static void test_unknown_error_is_to_be_reported(void **state)
{
	(void)state;
	check(strstr(uring_refusal(EXDEV).remedy, "report") != NULL);
	check(strstr(uring_refusal(ENOSYS).remedy, "report") == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sysctl_is_told_from_a_sandbox),
		cmocka_unit_test(test_unknown_error_is_to_be_reported),
	};

	return cmocka_run_group_tests_name("uring_refusal", tests, NULL, NULL);
}
