// SPDX-License-Identifier: MIT
/*
 * support.c - what the test programs share
 *
 * The contracts are in support.h.  Nothing here keeps a lock while it waits,
 * and the signal handler only touches atomics and its own slot of a table.
 */
#include "support.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool is_child;
static pid_t creator;

const char *implementation(void)
{
	const char *name = getenv("RTAIO_TEST_IMPLEMENTATION");

	return name ? name : "unknown";
}

/*
 * Lines must leave at once: the runner reads stdout and stderr from one file,
 * and a forked child must not inherit half a report.
 */
static void __attribute__((constructor)) support_init(void)
{
	const char *filter = getenv("RTAIO_TEST_FILTER");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (filter && *filter)
		cmocka_set_test_filter(filter);
}

/* ---- the run ---- */

/* What is expected to fail waits no longer than this. */
#define XFAIL_DEADLINE_MS 1000

static bool is_expected_to_fail;

/* Is the word one of a list that spaces separate? */
static bool is_listed(const char *word, const char *list)
{
	size_t size = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += size)
		if ((at == list || at[-1] == ' ') && (at[size] == ' ' || !at[size]))
			return true;
	return false;
}

/* The setup of each test, which finds its name in *state. */
static int enter_test(void **state)
{
	const char *expected = getenv("RTAIO_TEST_XFAIL");

	is_expected_to_fail = expected && is_listed(*state, expected);
	*state = NULL;
	return 0;
}

int support_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	struct CMUnitTest known[nr];

	if (getenv("RTAIO_TEST_LIST")) {
		for (size_t i = 0; i < nr; i++)
			puts(tests[i].name);
		return 0;
	}
	for (size_t i = 0; i < nr; i++) {
		known[i] = tests[i];
		known[i].setup_func = enter_test;
		known[i].initial_state = (void *)tests[i].name;
	}
	return _cmocka_run_group_tests(name, known, nr, NULL, NULL);
}

static unsigned int limit_deadline(unsigned int ms)
{
	return is_expected_to_fail && ms > XFAIL_DEADLINE_MS ? XFAIL_DEADLINE_MS : ms;
}

/* ---- checks ---- */

void support_fail(const char *file, int line, const char *format, ...)
{
	int error = errno;
	bool is_main = getpid() == syscall(SYS_gettid);
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (is_child || !is_main) {
		dprintf(STDOUT_FILENO, "# %s:%d: %s (errno %d)\n", file, line, text, error);
		if (is_child)
			_exit(CHILD_CHECK_FAILED);
		abort();
	}
	print_message("# %s (errno %d)\n", text, error);
	_fail(file, line);
	abort();
}

void support_check_equal(long long actual, long long expected, const char *text, const char *file,
			 int line)
{
	if (actual != expected)
		support_fail(file, line, "%s: is %lld, expected %lld", text, actual, expected);
}

/* ---- deadlines ---- */

unsigned int default_deadline_ms(void)
{
	const char *text = getenv("RTAIO_TEST_DEADLINE_MS");

	return limit_deadline(text ? (unsigned int)strtoul(text, NULL, 10) : 10000);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void short_pause(void)
{
	struct timespec ts = { .tv_nsec = 500000 };

	nanosleep(&ts, NULL);
}

bool thread_sleeps(pid_t tid)
{
	char path[64], text[256];
	const char *state;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return false;
	text[size] = '\0';
	/* The name, in parentheses, may hold anything. */
	state = strrchr(text, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

unsigned int nr_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int nr = 0;
	struct dirent *entry;

	check(dir != NULL);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

void support_await_semaphore(sem_t *sem, const char *file, int line)
{
	unsigned int ms = default_deadline_ms();
	struct timespec until;
	int ret;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000 + 1;
	do
		ret = sem_timedwait(sem, &until);
	while (ret == -1 && errno == EINTR);
	if (ret == -1)
		support_fail(file, line, "semaphore not posted in %u ms", ms);
}

/* ---- control blocks ---- */

void aiocb_init(struct aiocb *cb, int fd, void *buf, size_t nbytes, off_t offset)
{
	memset(cb, 0xA5, sizeof(*cb));
	memset(&cb->aio_sigevent, 0, sizeof(cb->aio_sigevent));
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
	cb->aio_fildes = fd;
	cb->aio_buf = buf;
	cb->aio_nbytes = nbytes;
	cb->aio_offset = offset;
	cb->aio_reqprio = 0;
}

void aiocb_init_lio(struct aiocb *cb, int opcode, int fd, void *buf, size_t nbytes, off_t offset)
{
	aiocb_init(cb, fd, buf, nbytes, offset);
	cb->aio_lio_opcode = opcode;
}

void notify_by_signal(struct sigevent *event, int signo, int value)
{
	memset(event, 0, sizeof(*event));
	event->sigev_notify = SIGEV_SIGNAL;
	event->sigev_signo = signo;
	event->sigev_value.sival_int = value;
}

void notify_by_thread(struct sigevent *event, void (*callback)(union sigval), void *value)
{
	memset(event, 0, sizeof(*event));
	event->sigev_notify = SIGEV_THREAD;
	event->sigev_notify_function = callback;
	event->sigev_value.sival_ptr = value;
}

int support_await(struct aiocb *cb, const char *file, int line)
{
	const struct aiocb *list[1] = { cb };
	unsigned int ms = default_deadline_ms();
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;
	int error;

	while ((error = aio_error(cb)) == EINPROGRESS) {
		uint64_t now = now_ns();
		uint64_t left = now < until ? until - now : 0;
		struct timespec timeout = {
			.tv_sec = (time_t)(left / 1000000000),
			.tv_nsec = (long)(left % 1000000000),
		};

		if (aio_suspend(list, 1, &timeout) == 0)
			continue;
		if (errno != EINTR && errno != EAGAIN)
			support_fail(file, line, "aio_suspend failed");
		if (now_ns() >= until && aio_error(cb) == EINPROGRESS)
			support_fail(file, line, "request still in progress after %u ms", ms);
	}
	return error;
}

ssize_t support_await_result(struct aiocb *cb, const char *file, int line)
{
	int error = support_await(cb, file, line);

	if (error != 0)
		support_fail(file, line, "request failed with %d (%s)", error, strerror(error));
	return aio_return(cb);
}

void support_await_failure(struct aiocb *cb, int error, const char *file, int line)
{
	int found = support_await(cb, file, line);

	if (found != error)
		support_fail(file, line, "aio_error is %d (%s), expected %d", found,
			     strerror(found), error);
	support_check_equal(aio_return(cb), -1, "aio_return(cb) == -1", file, line);
}

ssize_t read_now(int fd, void *buf, size_t nbytes, off_t offset)
{
	struct aiocb cb;

	aiocb_init(&cb, fd, buf, nbytes, offset);
	check_equal(aio_read(&cb), 0);
	return await_result(&cb);
}

void submit_notified_read(struct aiocb *cb, int fd, const struct sigevent *event)
{
	static char buf[100];

	aiocb_init(cb, fd, buf, sizeof(buf), 0);
	cb->aio_sigevent = *event;
	check_equal(aio_read(cb), 0);
}

/* ---- files ---- */

static char temp_dir_path[PATH_MAX];
static char direct_dir_path[PATH_MAX];

static void remove_dir(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

static void remove_dirs(void)
{
	if (getpid() != creator)
		return;
	if (temp_dir_path[0])
		remove_dir(temp_dir_path);
	if (direct_dir_path[0])
		remove_dir(direct_dir_path);
}

static const char *make_dir(char path[PATH_MAX], const char *parent)
{
	if (path[0])
		return path;
	if (!parent) {
		parent = "build/tmp";
		mkdir("build", 0777);
		mkdir(parent, 0777);
	}
	snprintf(path, PATH_MAX, "%s/rtaio-test.XXXXXX", parent);
	if (!mkdtemp(path)) {
		path[0] = '\0';
		check_failed("cannot make a directory in %s", parent);
	}
	if (!creator && !is_child) {
		creator = getpid();
		atexit(remove_dirs);
	}
	return path;
}

const char *temp_dir(void)
{
	const char *parent = getenv("TMPDIR");

	return make_dir(temp_dir_path, parent && *parent ? parent : NULL);
}

const char *direct_dir(void)
{
	return make_dir(direct_dir_path, NULL);
}

const char *temp_path(const char *name)
{
	static char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", temp_dir(), name);
	return path;
}

static int open_unlinked(const char *dir, int flags)
{
	static atomic_uint serial;
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/file.%d.%u", dir, (int)getpid(),
		 atomic_fetch_add(&serial, 1));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int temp_file(int extra_flags)
{
	int fd = open_unlinked(temp_dir(), extra_flags);

	check(fd >= 0);
	return fd;
}

unsigned char pattern_at(size_t position)
{
	/* No short period: a block at a wrong offset is noticed. */
	return (unsigned char)(position ^ (position >> 8) * 7 ^ (position >> 16) * 13);
}

void pattern_fill(void *buf, size_t position, size_t size)
{
	unsigned char *bytes = buf;

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_at(position + i);
}

bool pattern_matches(const void *buf, size_t position, size_t size)
{
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != pattern_at(position + i))
			return false;
	return true;
}

static void fill_file(int fd, size_t size)
{
	unsigned char *buf;

	if (!size)
		return;
	check(posix_memalign((void **)&buf, 4096, size) == 0);
	pattern_fill(buf, 0, size);
	check_equal(pwrite(fd, buf, size, 0), size);
	free(buf);
}

int temp_file_filled(size_t size)
{
	int fd = temp_file(0);

	fill_file(fd, size);
	return fd;
}

int direct_file(size_t size, int extra_flags)
{
	int fd = open_unlinked(direct_dir(), O_DIRECT | extra_flags);

	if (fd < 0 && errno == EINVAL)
		return -1;
	check(fd >= 0);
	fill_file(fd, size);
	return fd;
}

/* ---- pipes and sockets ---- */

void open_pipe(int fds[2])
{
	check(pipe2(fds, O_CLOEXEC) == 0);
}

void open_socketpair(int fds[2], int type)
{
	check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
}

void close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

size_t fill_up(int fd)
{
	static const char block[65536];
	int flags = fcntl(fd, F_GETFL);
	size_t unit = sizeof(block), total = 0;

	check(flags >= 0);
	check(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	while (unit) {
		ssize_t res = write(fd, block, unit);

		if (res > 0)
			total += (size_t)res;
		else if (errno == EAGAIN)
			unit /= 2;
		else
			check_failed("cannot fill descriptor %d", fd);
	}
	check(fcntl(fd, F_SETFL, flags) == 0);
	return total;
}

void read_fully(int fd, void *buf, size_t size)
{
	static char scratch[65536];
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;
	int flags = fcntl(fd, F_GETFL);
	size_t done = 0;

	check(flags >= 0);
	check(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	while (done < size) {
		size_t left = size - done;
		ssize_t res;

		if (!buf && left > sizeof(scratch))
			left = sizeof(scratch);
		res = read(fd, buf ? (char *)buf + done : scratch, left);
		if (res > 0)
			done += (size_t)res;
		else if (res == 0)
			check_failed("end of file after %zu of %zu bytes", done, size);
		else if (errno != EAGAIN && errno != EINTR)
			check_failed("read failed");
		else if (now_ns() > until)
			check_failed("only %zu of %zu bytes came", done, size);
		else
			short_pause();
	}
	check(fcntl(fd, F_SETFL, flags) == 0);
}

void write_fully(int fd, const void *buf, size_t size)
{
	check_equal(write(fd, buf, size), size);
}

/* ---- signals ---- */

static siginfo_t records[CAUGHT_MAX];
static atomic_uint nr_claimed, nr_recorded;
static struct sigaction saved_actions[NSIG];
static bool is_caught[NSIG];

static void record_signal(int signo, siginfo_t *info, void *context)
{
	unsigned int slot = atomic_fetch_add(&nr_claimed, 1);

	(void)signo;
	(void)context;
	if (slot < CAUGHT_MAX)
		records[slot] = *info;
	atomic_fetch_add(&nr_recorded, 1);
}

void change_mask(int how, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	check_equal(pthread_sigmask(how, &set, NULL), 0);
}

bool is_pending(int signo)
{
	sigset_t set;

	check_equal(sigpending(&set), 0);
	return sigismember(&set, signo);
}

void catch_signal(int signo, int flags)
{
	struct sigaction action = { .sa_sigaction = record_signal };

	action.sa_flags = SA_SIGINFO | flags;
	/* Nested handlers of other signals would record out of order. */
	sigfillset(&action.sa_mask);
	check(sigaction(signo, &action, is_caught[signo] ? NULL : &saved_actions[signo]) == 0);
	is_caught[signo] = true;
}

unsigned int nr_caught(void)
{
	return atomic_load(&nr_recorded);
}

const siginfo_t *caught(unsigned int i)
{
	check(i < nr_caught() && i < CAUGHT_MAX);
	return &records[i];
}

void release_signals(void)
{
	for (int signo = 1; signo < NSIG; signo++) {
		if (is_caught[signo])
			sigaction(signo, &saved_actions[signo], NULL);
		is_caught[signo] = false;
	}
	atomic_store(&nr_claimed, 0);
	atomic_store(&nr_recorded, 0);
}

/* ---- forked children ---- */

static _Noreturn void run_child(int (*function)(void *), void *arg, int output)
{
	is_child = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close(output);
	/* cmocka catches these and would jump into its copy of the runner. */
	signal(SIGFPE, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSYS, SIG_DFL);
	_exit(function(arg));
}

static void collect_output(int fd, struct child_result *result, size_t *used)
{
	char chunk[1024];
	ssize_t res;

	while ((res = read(fd, chunk, sizeof(chunk))) > 0) {
		size_t room = sizeof(result->output) - 1 - *used;
		size_t size = (size_t)res < room ? (size_t)res : room;

		memcpy(result->output + *used, chunk, size);
		*used += size;
	}
}

struct child_result in_child_with(int (*function)(void *), void *arg, unsigned int deadline_ms)
{
	uint64_t until = now_ns() + (uint64_t)limit_deadline(deadline_ms) * 1000000;
	struct child_result result = { .end = CHILD_TIMED_OUT };
	siginfo_t info = { 0 };
	size_t used = 0;
	int output[2];
	pid_t pid;

	/* A directory made in the child would stay behind. */
	temp_dir();
	direct_dir();
	open_pipe(output);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		run_child(function, arg, output[1]);
	setpgid(pid, pid);
	close(output[1]);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	do {
		collect_output(output[0], &result, &used);
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			break;
		short_pause();
	} while (now_ns() < until);
	/* Not reaped yet: the number of its process group is still its own. */
	kill(-pid, SIGKILL);
	if (info.si_pid) {
		result.end = info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_KILLED;
		result.code = info.si_status;
	}
	waitpid(pid, NULL, 0);
	collect_output(output[0], &result, &used);
	close(output[0]);
	return result;
}

static int call_without_arg(void *arg)
{
	int (**function)(void) = arg;

	return (*function)();
}

struct child_result in_child(int (*function)(void), unsigned int deadline_ms)
{
	return in_child_with(call_without_arg, &function, deadline_ms);
}

const char *describe_child(const struct child_result *result)
{
	static char text[64];
	const char *name;

	switch (result->end) {
	case CHILD_EXITED:
		snprintf(text, sizeof(text), "exited with status %d", result->code);
		break;
	case CHILD_KILLED:
		name = sigabbrev_np(result->code);
		snprintf(text, sizeof(text), "killed by SIG%s", name ? name : "?");
		break;
	case CHILD_TIMED_OUT:
		snprintf(text, sizeof(text), "timed out");
		break;
	}
	return text;
}

void support_check_child(struct child_result result, const char *text, const char *file, int line)
{
	char *rest = result.output;
	char *output_line;

	if (result.end == CHILD_EXITED && result.code == 0)
		return;
	while ((output_line = strsep(&rest, "\n")))
		if (*output_line)
			print_message("#   child: %s\n", output_line);
	support_fail(file, line, "%s %s", text, describe_child(&result));
}
