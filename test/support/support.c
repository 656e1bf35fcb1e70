// SPDX-License-Identifier: MIT
/*
 * support.c - how the test programs run, check, wait and submit
 *
 * The contracts are in support.h.  Nothing here keeps a lock while it waits.
 */
#include "support.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fnmatch.h>
#include <sys/resource.h>
#include <sys/syscall.h>

bool support_is_child;

const char *implementation(void)
{
	const char *name = getenv("RTAIO_TEST_IMPLEMENTATION");

	return name ? name : "unknown";
}

static int (*find_leaks)(void);

void support_check_leaks(void)
{
	static const int needed[] = { RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE };
	struct rlimit limit;

	if (!find_leaks)
		return;
	/* It needs a thread and files, whatever the test has forbidden. */
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		getrlimit(needed[i], &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(needed[i], &limit);
	}
	find_leaks();
}

/*
 * Lines must leave at once: the runner reads stdout and stderr from one file,
 * and a forked child must not inherit half a report.
 */
static void __attribute__((constructor)) support_init(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	find_leaks = (int (*)(void))dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check");
}

/* ---- the run ---- */

#define USUAL_DEADLINE_MS 10000
/* A test that is expected to fail waits no longer than this. */
#define XFAIL_DEADLINE_MS 1000

static bool is_expected_to_fail;

static uint64_t given_deadline_ms(void)
{
	const char *text = getenv("RTAIO_TEST_DEADLINE_MS");

	return text ? strtoul(text, NULL, 10) : USUAL_DEADLINE_MS;
}

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

/* Does the test match one of the patterns, which are separated by spaces, or is there none? */
static bool is_wanted(const char *test, const char *patterns)
{
	char copy[patterns ? strlen(patterns) + 1 : 1], *rest = copy, *pattern;
	bool is_any = false;

	strcpy(copy, patterns ? patterns : "");
	while ((pattern = strsep(&rest, " ")))
		if (*pattern) {
			is_any = true;
			if (fnmatch(pattern, test, 0) == 0)
				return true;
		}
	return !is_any;
}

int support_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	const char *patterns = getenv("RTAIO_TEST_FILTER");
	struct CMUnitTest known[nr];
	size_t nr_wanted = 0;

	if (getenv("RTAIO_TEST_LIST")) {
		for (size_t i = 0; i < nr; i++)
			puts(tests[i].name);
		return 0;
	}
	for (size_t i = 0; i < nr; i++) {
		if (!is_wanted(tests[i].name, patterns))
			continue;
		known[nr_wanted] = tests[i];
		known[nr_wanted].setup_func = enter_test;
		known[nr_wanted++].initial_state = (void *)tests[i].name;
	}
	return _cmocka_run_group_tests(name, known, nr_wanted, NULL, NULL);
}

unsigned int support_limit_deadline(unsigned int ms)
{
	uint64_t limit = is_expected_to_fail ? XFAIL_DEADLINE_MS : given_deadline_ms();

	/* More than usual has stretched all limits already. */
	if ((is_expected_to_fail || limit < USUAL_DEADLINE_MS) && ms > limit)
		ms = (unsigned int)limit;
	return stretched_ms(ms);
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
	if (support_is_child || !is_main) {
		dprintf(STDOUT_FILENO, "# %s:%d: %s (errno %d)\n", file, line, text, error);
		if (support_is_child)
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

static unsigned int chosen_deadline_ms = USUAL_DEADLINE_MS;

uint64_t stretched_ns(uint64_t ns)
{
	uint64_t given = given_deadline_ms();

	return given > USUAL_DEADLINE_MS ? ns / USUAL_DEADLINE_MS * given : ns;
}

unsigned int stretched_ms(unsigned int ms)
{
	return (unsigned int)(stretched_ns((uint64_t)ms * 1000000) / 1000000);
}

void choose_default_deadline(unsigned int ms)
{
	chosen_deadline_ms = ms;
}

unsigned int default_deadline_ms(void)
{
	return support_limit_deadline(chosen_deadline_ms);
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

/* By the name that qemu gives its processors; on arm64 by the implementer that no real one has. */
bool is_emulated(void)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "QEMU TCG") || !strcmp(line, "CPU implementer\t: 0x00\n");
	if (file)
		fclose(file);
	return found;
}

/* From the page tables: before Linux 6.2 statm leaves out up to 63 pages of each thread. */
static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	size_t kib = 0;

	check(file != NULL);
	while (kib == 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %zu kB", &kib);
	fclose(file);
	check(kib > 0);
	return kib << 10;
}

struct memory_use memory_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	struct memory_use use = { .resident = resident_bytes() };

	check(file && fscanf(file, "%zu", &use.mapped) == 1);
	fclose(file);
	use.mapped *= page_size();
	return use;
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

void submit_read(struct aiocb *cb, int fd, void *buf, size_t nbytes, off_t offset)
{
	aiocb_init(cb, fd, buf, nbytes, offset);
	check_equal(aio_read(cb), 0);
}

void submit_write(struct aiocb *cb, int fd, const void *buf, size_t nbytes, off_t offset)
{
	aiocb_init(cb, fd, (void *)buf, nbytes, offset);
	check_equal(aio_write(cb), 0);
}

ssize_t read_now(int fd, void *buf, size_t nbytes, off_t offset)
{
	struct aiocb cb;

	submit_read(&cb, fd, buf, nbytes, offset);
	return await_result(&cb);
}

ssize_t write_now(int fd, const void *buf, size_t nbytes, off_t offset)
{
	struct aiocb cb;

	submit_write(&cb, fd, buf, nbytes, offset);
	return await_result(&cb);
}

void check_cancelled(const struct aiocb *cb)
{
	check_equal(aio_error(cb), ECANCELED);
	check_equal(aio_return((struct aiocb *)cb), -1);
}

void submit_notified_read(struct aiocb *cb, int fd, const struct sigevent *event)
{
	static char buf[100];

	aiocb_init(cb, fd, buf, sizeof(buf), 0);
	cb->aio_sigevent = *event;
	check_equal(aio_read(cb), 0);
}
