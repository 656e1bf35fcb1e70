// SPDX-License-Identifier: MIT
/*
 * test_callback_state.c - what a callback does to its thread ends with it
 *
 * Each callback looks at the state of its thread, notes what differs from what
 * the first one found, and leaves all of it changed.
 */
#include "transparency.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NR_CALLBACKS 12
#define NR_STATES    (sizeof(states) / sizeof(states[0]))

static pthread_key_t key;
static _Thread_local long local = 7;
static locale_t other_locale;
static char stack[65536]; /* never used, since no signal is handled there */

static long get_nice(void)
{
	return getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

static void change_nice(void)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
}

/* An invalid id changes nothing and returns the present one. */
static long get_fsuid(void)
{
	return setfsuid((uid_t)-1);
}

static void change_fsuid(void)
{
	setfsuid(65534);
}

static long get_affinity(void)
{
	cpu_set_t cpus;

	check_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	return CPU_COUNT(&cpus);
}

static void change_affinity(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	check_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

static long get_altstack(void)
{
	stack_t now;

	check_equal(sigaltstack(NULL, &now), 0);
	return now.ss_flags;
}

static void change_altstack(void)
{
	stack_t mine = { .ss_sp = stack, .ss_size = sizeof(stack) };

	check_equal(sigaltstack(&mine, NULL), 0);
}

static long get_locale(void)
{
	return uselocale(NULL) == LC_GLOBAL_LOCALE;
}

static void change_locale(void)
{
	uselocale(other_locale);
}

/* A third, rounded; without the functions of libm. */
static long get_rounding(void)
{
	volatile float one = 1.0f, three = 3.0f, third = one / three;

	return third > 0.33333333f - 1e-9f;
}

static void change_rounding(void)
{
#if defined(__x86_64__)
	unsigned int control = 0x1f80 | 3 << 13; /* towards zero */

	__asm__ volatile("ldmxcsr %0" : : "m"(control));
#elif defined(__aarch64__)
	__asm__ volatile("msr fpcr, %0" : : "r"(3ul << 22));
#elif defined(__riscv)
	__asm__ volatile("fsrmi 1");
#endif
}

static long get_policy(void)
{
	return sched_getscheduler(0);
}

static void change_policy(void)
{
	struct sched_param param = { 0 };

	sched_setscheduler(0, SCHED_BATCH, &param);
}

static long get_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void change_privileges(void)
{
	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

static long get_mask(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, SIGUSR2);
}

static void change_mask_of_thread(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

static long get_value(void)
{
	return pthread_getspecific(key) != NULL;
}

static void change_value(void)
{
	pthread_setspecific(key, "value");
}

static long get_local(void)
{
	return local;
}

static void change_local(void)
{
	local = 8;
}

static long get_cancel_state(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}

static void change_cancel_state(void)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
}

static long get_name_length(void)
{
	char name[16];

	check_equal(prctl(PR_GET_NAME, name, 0, 0, 0), 0);
	return (long)strlen(name);
}

static void change_name(void)
{
	check_equal(prctl(PR_SET_NAME, "x", 0, 0, 0), 0);
}

static const struct state {
	const char *name;
	long (*get)(void);
	void (*change)(void);
} states[] = {
	{ "nice value", get_nice, change_nice },
	{ "fsuid", get_fsuid, change_fsuid },
	{ "affinity", get_affinity, change_affinity },
	{ "sigaltstack", get_altstack, change_altstack },
	{ "locale", get_locale, change_locale },
	{ "rounding mode", get_rounding, change_rounding },
	{ "policy", get_policy, change_policy },
	{ "no_new_privs", get_privileges, change_privileges },
	{ "signal mask", get_mask, change_mask_of_thread },
	{ "thread-specific value", get_value, change_value },
	{ "thread-local variable", get_local, change_local },
	{ "cancelability", get_cancel_state, change_cancel_state },
	{ "name", get_name_length, change_name },
};

static long first[NR_STATES];
static atomic_int nr_called, nr_seen[NR_STATES], nr_with_errno;

static void look_and_change(union sigval value)
{
	bool is_first = nr_called == 0;

	(void)value;
	nr_with_errno += errno == ENOTRECOVERABLE;
	for (size_t i = 0; i < NR_STATES; i++) {
		long now = states[i].get();

		if (is_first)
			first[i] = now;
		nr_seen[i] += now != first[i];
	}
	for (size_t i = 0; i < NR_STATES; i++)
		states[i].change();
	errno = ENOTRECOVERABLE;
	nr_called++;
}

static void call_back(void (*callback)(union sigval), pthread_attr_t *attr, int nr)
{
	read_with_callback(callback, attr);
	eventually(nr_called == nr);
}

static int leave_changes_behind(void)
{
	other_locale = newlocale(LC_ALL_MASK, "C", NULL);
	check(other_locale != NULL);
	check_equal(pthread_key_create(&key, NULL), 0);
	for (int i = 1; i <= NR_CALLBACKS; i++)
		call_back(look_and_change, NULL, i);
	for (size_t i = 0; i < NR_STATES; i++)
		if (nr_seen[i] > 0)
			check_failed("%d of %d callbacks found the %s of another", nr_seen[i],
				     NR_CALLBACKS, states[i].name);
	if (nr_with_errno > 0)
		check_failed("%d of %d callbacks found errno of another", nr_with_errno,
			     NR_CALLBACKS);
	return 0;
}

TEST_IN_CHILD(test_callback_finds_nothing_of_another_one, leave_changes_behind, 30000)

/* ---- what the process gives to all its threads ---- */

static cpu_set_t seen_cpus;
static char seen_name[16];

static void look_at_process_state(union sigval value)
{
	(void)value;
	check_equal(sched_getaffinity(0, sizeof(seen_cpus), &seen_cpus), 0);
	check_equal(prctl(PR_GET_NAME, seen_name, 0, 0, 0), 0);
	nr_called++;
}

static int restrict_and_use_attributes(void)
{
	pthread_attr_t attr;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	check_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
	call_back(look_at_process_state, &attr, 1);
	check(CPU_EQUAL(&seen_cpus, &cpus));
	return 0;
}

static int restrict_by_attributes(void)
{
	pthread_attr_t attr;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
	check_equal(pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus), 0);
	call_back(look_at_process_state, &attr, 1);
	check(CPU_EQUAL(&seen_cpus, &cpus));
	return 0;
}

static int have_a_name(void)
{
	pthread_attr_t attr;

	check_equal(prctl(PR_SET_NAME, "a-program", 0, 0, 0), 0);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
	for (int i = 1; i <= 2; i++) {
		call_back(look_at_process_state, i == 1 ? NULL : &attr, i);
		check_equal(strcmp(seen_name, "a-program"), 0);
	}
	return 0;
}

TEST_IN_CHILD(test_attributes_leave_the_processors_alone, restrict_and_use_attributes, 15000)
TEST_IN_CHILD(test_callback_keeps_to_the_processors_of_its_attributes, restrict_by_attributes,
	      15000)
TEST_IN_CHILD(test_callback_has_the_name_of_the_program, have_a_name, 15000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback_finds_nothing_of_another_one),
		cmocka_unit_test(test_attributes_leave_the_processors_alone),
		cmocka_unit_test(test_callback_keeps_to_the_processors_of_its_attributes),
		cmocka_unit_test(test_callback_has_the_name_of_the_program),
	};

	return cmocka_run_group_tests_name("callback_state", tests, NULL, NULL);
}
