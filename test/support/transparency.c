// SPDX-License-Identifier: MIT
/*
 * transparency.c - what the tests in test/transparency share
 *
 * The contracts are in transparency.h.
 */
#include "transparency.h"

#include <dirent.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/time.h>
#include <sys/wait.h>

void support_check_or_skip_child(struct child_result result, const char *text, const char *file,
				 int line)
{
	if (result.end == CHILD_EXITED && result.code == CHILD_SKIPPED)
		skip_because("%s", result.output);
	support_check_child(result, text, file, line);
}

void check_or_skip_in_child(int (*function)(void), unsigned int deadline_ms)
{
	support_check_or_skip_child(in_child(function, deadline_ms), "the child", __FILE__,
				    __LINE__);
}

struct with_rings {
	int (*function)(void);
	unsigned int deadline_ms;
};

static int run_with_rings(void *arg)
{
	static const char *const masks[] = { "0x1f", "0x0f", "0x0e", "0x00" };
	const struct with_rings *with = arg;
	struct child_result result;

	/* On a busy machine the end of a process with a context of Linux AIO takes long. */
	choose_default_deadline(30000);
	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
		setenv("RTAIO_TEST_URING", masks[i], 1);
		result = in_child(with->function, with->deadline_ms);
		if (result.end != CHILD_EXITED || result.code != 0) {
			printf("%sRTAIO_TEST_URING=%s: %s\n", result.output, masks[i],
			       describe_child(&result));
			return result.end == CHILD_EXITED ? result.code : 1;
		}
	}
	return 0;
}

void check_with_rings(int (*function)(void), unsigned int deadline_ms)
{
	struct with_rings with = { function, deadline_ms };

	support_check_or_skip_child(in_child_with(run_with_rings, &with, 4 * deadline_ms),
				    "the child", __FILE__, __LINE__);
}

bool goes_on(int round, int nr, uint64_t began)
{
	return round == 1 || (round <= nr && now_ns() - began < 2000000000);
}

/* ---- requests ---- */

ssize_t support_outcome(struct aiocb *cb, const char *file, int line)
{
	int error = support_await(cb, file, line);

	if (error) {
		check_equal(aio_return(cb), -1);
		return -error;
	}
	return aio_return(cb);
}

/* ---- files ---- */

int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags);
	check(fd >= 0);
	return fd;
}

void evict(int fd)
{
	check_equal(fdatasync(fd), 0);
	check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

void *direct_buffer(size_t size)
{
	void *buf = NULL;

	check_equal(posix_memalign(&buf, 4096, size), 0);
	memset(buf, 0, size);
	return buf;
}

/* ---- rounds of use ---- */

static void use_pipe(void)
{
	struct aiocb in, out;
	char text[8] = "";
	int fds[2];

	open_pipe(fds);
	submit_read(&in, fds[0], text, 6, 0);
	submit_write(&out, fds[1], "stream", 6, 0);
	check_equal(outcome(&out), 6);
	check_equal(outcome(&in), 6);
	check_memory(text, "stream", 6);
	close_pair(fds);
}

static void use_file(int fd, char *buf)
{
	struct aiocb first, second;
	struct aiocb *list[] = { &first, &second };

	submit_read(&first, fd, buf, 8192, 4096);
	check_equal(outcome(&first), 8192);
	check_pattern(buf, 4096, 8192);
	submit_write(&first, fd, buf, 8192, 4096);
	check_equal(outcome(&first), 8192);
	aiocb_init(&first, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &first), 0);
	check_equal(outcome(&first), 0);
	aiocb_init_lio(&first, LIO_READ, fd, buf, 4096, 0);
	aiocb_init_lio(&second, LIO_READ, fd, buf + 4096, 4096, 65536);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), 0);
	check_equal(outcome(&first), 4096);
	check_equal(outcome(&second), 4096);
	check_pattern(buf, 0, 4096);
	check_pattern(buf + 4096, 65536, 4096);
}

void use_aio(void)
{
	int direct = direct_file(128 * 1024, 0);
	int fd = temp_file_filled(128 * 1024);
	char *buf = direct_buffer(8192);

	use_pipe();
	use_file(fd, buf);
	evict(fd);
	use_file(fd, buf);
	if (direct >= 0) {
		use_file(direct, buf);
		close(direct);
	}
	close(fd);
	free(buf);
}

void use_aio_briefly(void)
{
	int fd = temp_file_filled(4096);
	struct aiocb cb;
	char buf[4096];

	use_pipe();
	submit_read(&cb, fd, buf, sizeof(buf), 0);
	check_equal(outcome(&cb), sizeof(buf));
	check_pattern(buf, 0, sizeof(buf));
	close(fd);
}

void read_with_callback(void (*callback)(union sigval), pthread_attr_t *attr)
{
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_thread(&cb.aio_sigevent, callback, NULL);
	cb.aio_sigevent.sigev_notify_attributes = attr;
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	check_equal(byte, 'x');
	close_pair(fds);
}

/* ---- children and threads ---- */

const char *own_program(void)
{
	static char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	check(size > 0);
	path[size] = '\0';
	return path;
}

void preload(const char *name, bool is_first)
{
	const char *others = getenv("LD_PRELOAD");
	char path[PATH_MAX], list[3 * PATH_MAX];

	strcpy(path, own_program());
	dirname(path);
	if (!others)
		others = "";
	if (is_first)
		snprintf(list, sizeof(list), "%s/%s:%s", path, name, others);
	else
		snprintf(list, sizeof(list), "%s:%s/%s", others, path, name);
	check_equal(setenv("LD_PRELOAD", list, 1), 0);
}

int wait_for_child(pid_t pid)
{
	int status = 0;
	pid_t ended;

	check(pid > 0);
	eventually((ended = waitpid(pid, &status, WNOHANG)) == pid ||
		   (ended < 0 && errno != EINTR));
	check_equal(ended, pid);
	return status;
}

void support_check_pid(pid_t pid, const char *file, int line)
{
	int status = wait_for_child(pid);

	if (WIFSIGNALED(status))
		support_fail(file, line, "child killed by signal %d", WTERMSIG(status));
	if (status)
		support_fail(file, line, "child ended with status %d", WEXITSTATUS(status));
}

pthread_t start_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	check_equal(pthread_create(&thread, NULL, function, arg), 0);
	return thread;
}

void join_thread(pthread_t thread)
{
	unsigned int ms = default_deadline_ms();
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000 + 1;
	check_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
}

void close_others_on_exec(void)
{
	struct rlimit limit;

	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* The flag is of Linux 5.11. */
	check_equal(errno, EINVAL);
	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int fd = 3; fd < (int)limit.rlim_cur; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The letter of /proc; '?' if it has ended. */
static char state_of(pid_t tid)
{
	char path[64], stat[512];
	const char *end;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '?';
	size = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (size <= 0)
		return '?';
	stat[size] = '\0';
	end = strrchr(stat, ')');
	return end ? end[2] : '?';
}

void wind_timer(int us)
{
	struct itimerval timer = { .it_value = { 0, us } };

	check_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static pthread_t storm_threads[2];
static atomic_bool storm_is_over;

static void *call_until_over(void *function)
{
	while (!storm_is_over)
		(*(void (**)(void))function)();
	return NULL;
}

void begin_storm(void (*function)(void))
{
	static void (*called)(void);

	called = function;
	storm_is_over = false;
	for (int i = 0; i < 2; i++)
		storm_threads[i] = start_thread(call_until_over, &called);
}

void end_storm(void)
{
	storm_is_over = true;
	for (int i = 0; i < 2; i++)
		join_thread(storm_threads[i]);
}

bool thread_has_ended(pid_t tid)
{
	return state_of(tid) == '?';
}

static bool does_not_run(pid_t tid)
{
	return state_of(tid) != 'R';
}

static bool all_others(bool (*fits)(pid_t tid))
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	bool all = true;

	check(tasks != NULL);
	while ((entry = readdir(tasks))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && tid != gettid() && !fits(tid))
			all = false;
	}
	closedir(tasks);
	return all;
}

bool others_are_asleep(void)
{
	return all_others(thread_sleeps);
}

bool nobody_else_runs(void)
{
	return all_others(does_not_run);
}

/* ---- signals and users ---- */

void handle_signal(int signo, void (*handler)(int signo), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	check_equal(sigaction(signo, &action, NULL), 0);
}

void become_nobody(void)
{
	/* Limits count per user: a number of our own, no other process has it. */
	uid_t uid = 200000 + (uid_t)getpid();

	if (geteuid())
		return;
	check_equal(chmod(temp_dir(), 0777), 0);
	check_equal(chmod(direct_dir(), 0777), 0);
	check_equal(setgroups(0, NULL), 0);
	check_equal(setresgid(uid, uid, uid), 0);
	check_equal(setresuid(uid, uid, uid), 0);
}

bool has_kernel(int major, int minor)
{
	struct utsname name;
	int its_major, its_minor;

	check_equal(uname(&name), 0);
	check_equal(sscanf(name.release, "%d.%d", &its_major, &its_minor), 2);
	return its_major > major || (its_major == major && its_minor >= minor);
}

int nr_private_fds(int max)
{
	return has_kernel(6, 7) || max < 1000 ? max : 1000;
}

void set_soft_limit(int resource, rlim_t value)
{
	struct rlimit limit;

	check_equal(getrlimit(resource, &limit), 0);
	limit.rlim_cur = value;
	check_equal(setrlimit(resource, &limit), 0);
}

bool allow_descriptors(rlim_t nr)
{
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < nr) {
		printf("at most %llu descriptors here", (unsigned long long)limit.rlim_max);
		return false;
	}
	set_soft_limit(RLIMIT_NOFILE, nr);
	return true;
}
