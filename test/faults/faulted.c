// SPDX-License-Identifier: MIT
/*
 * faulted.c - a workload of POSIX AIO in which system calls fail
 *
 *   faulted LOG CALL ERROR WHEN
 *
 * A child performs ROUNDS rounds of requests of all kinds, in two threads.  Before the
 * first of them strace attaches to it, and from then on lets CALL fail with ERROR,
 * the WHEN-th time (when= of strace(1)), counted for each thread.  The program's own
 * calls that may be chosen as well are repeated, or their failure is a reason to leave
 * out a part.  This process watches, is not traced, and in the end compares the files
 * with what the child has been told.
 *
 * It prints one line: "ok", then how many calls failed, how many requests were
 * refused and how many failed; or "FAULT" and what is wrong.  Each request must end with a true result, or with ERROR or EAGAIN.
 *
 * Exit status: 0 ok, 1 FAULT, 2 it cannot be done here.
 */
#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS         3
#define NR_THREADS     2
#define BLOCK          4096
#define NR_BLOCKS      64
#define LONG_BLOCKS    32
#define NR_OPS         16
#define NR_APPENDED    4
#define RECORD         100
#define TRACER         1234567 /* what getppid() returns once strace is there */
#define LIMIT_MS       60000
#define NOTICE_LIMIT_S 5
#define UNKNOWN        (-1) /* of a block: a write of it has failed */

enum target { BUFFERED, DIRECT, NR_TARGETS };

/* What the child tells; in shared memory, as it may crash or hang. */
struct report {
	_Atomic int nr_ready, nr_ended[ROUNDS], may_go;
	_Atomic int nr_refused, nr_failed;
	_Atomic bool has_fault;
	char fault[256];
	_Atomic int line[NR_THREADS]; /* of this file, where the thread is */
	int version[NR_THREADS][NR_TARGETS][NR_BLOCKS];
	bool was_appended[NR_THREADS][ROUNDS * NR_APPENDED];
};

struct op {
	struct aiocb cb;
	unsigned char *buf;
	enum target target;
	int block, nr_blocks, version;
	bool is_begun;
};

struct worker {
	int number, round, nr_writes;
	int fds[NR_TARGETS], append_fd;
	int *version[NR_TARGETS];
	struct op ops[NR_OPS];
	sem_t sems[2]; /* posted by a handler and by a callback */
};

static struct report *report;
static const char *call, *error_name, *when;
static int injected;
static char directory[PATH_MAX - 32];

/* A part of a round; where it hangs or crashes is known by the line. */
#define PART(part)                                                     \
	do {                                                           \
		atomic_store(&report->line[worker->number], __LINE__); \
		part;                                                  \
	} while (0)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The first fault counts; then nothing that follows does. */
__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&report->has_fault, true))
		return;
	va_start(args, format);
	vsnprintf(report->fault, sizeof(report->fault), format, args);
	va_end(args);
}

/* ---- single requests ---- */

/* A backend that is chosen by name and cannot serve is an error. */
static bool is_allowed(int error)
{
	return error == EAGAIN || (error == injected && error != EINTR) ||
	       (error == ENOSYS &&
		(strncmp(call, "io_uring", 8) == 0 || strcmp(call, "io_setup") == 0));
}

static unsigned char byte_of(int thread, int target, int block, int version)
{
	return (unsigned char)(thread * 101 + target * 67 + block * 7 + version * 31 + 1);
}

static void prepare(struct worker *worker, struct op *op, int opcode, enum target target, int block,
		    int nr_blocks)
{
	memset(&op->cb, 0, sizeof(op->cb));
	op->target = target;
	op->block = block;
	op->nr_blocks = nr_blocks;
	op->is_begun = false;
	op->version = worker->version[target][block];
	op->cb.aio_fildes = worker->fds[target];
	op->cb.aio_buf = op->buf;
	op->cb.aio_nbytes = (size_t)nr_blocks * BLOCK;
	op->cb.aio_offset = (off_t)block * BLOCK;
	op->cb.aio_lio_opcode = opcode;
	op->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (opcode != LIO_WRITE) {
		memset(op->buf, 0xee, op->cb.aio_nbytes);
		return;
	}
	op->version = ++worker->nr_writes;
	for (int i = 0; i < nr_blocks; i++)
		memset(op->buf + (size_t)i * BLOCK,
		       byte_of(worker->number, target, block + i, op->version), BLOCK);
}

static void note_submission(struct op *op, int rc)
{
	op->is_begun = rc == 0;
	if (rc == 0)
		return;
	if (!is_allowed(errno))
		fault("a call is refused: %s", strerrorname_np(errno));
	atomic_fetch_add(&report->nr_refused, 1);
}

static void submit(struct op *op)
{
	note_submission(op, op->cb.aio_lio_opcode == LIO_WRITE ? aio_write(&op->cb)
							       : aio_read(&op->cb));
}

static void wait_for(const struct aiocb *cb)
{
	while (aio_error(cb) == EINPROGRESS)
		if (aio_suspend(&cb, 1, NULL) < 0 && errno != EINTR && !is_allowed(errno))
			fault("aio_suspend: %s", strerrorname_np(errno));
}

static void note_written(struct worker *worker, struct op *op, bool is_written)
{
	for (int i = 0; i < op->nr_blocks; i++)
		worker->version[op->target][op->block + i] = is_written ? op->version : UNKNOWN;
}

static void check_read(struct worker *worker, struct op *op)
{
	for (int i = 0; i < op->nr_blocks; i++) {
		int block = op->block + i, version = worker->version[op->target][block];
		unsigned char expected = byte_of(worker->number, op->target, block, version);

		for (int at = 0; version != UNKNOWN && at < BLOCK; at++)
			if (op->buf[(size_t)i * BLOCK + (size_t)at] != expected) {
				fault("target %d, block %d: read %u instead of %u", op->target,
				      block, op->buf[(size_t)i * BLOCK + (size_t)at], expected);
				return;
			}
	}
}

/* The whole number of bytes, and the right ones, or an error. */
static void finish(struct worker *worker, struct op *op)
{
	bool is_write = op->cb.aio_lio_opcode == LIO_WRITE;
	int error;
	ssize_t size;

	if (!op->is_begun)
		return;
	wait_for(&op->cb);
	error = aio_error(&op->cb);
	size = aio_return(&op->cb);
	if (error) {
		if (!is_allowed(error) || size != -1)
			fault("a %s ends with %s and %zd", is_write ? "write" : "read",
			      strerrorname_np(error), size);
		atomic_fetch_add(&report->nr_failed, 1);
	} else if (size != (ssize_t)op->cb.aio_nbytes) {
		fault("a %s of %zu bytes returns %zd", is_write ? "write" : "read",
		      op->cb.aio_nbytes, size);
	} else if (!is_write) {
		check_read(worker, op);
	}
	if (is_write)
		note_written(worker, op, !error);
}

static void finish_all(struct worker *worker, int nr)
{
	for (int i = 0; i < nr; i++)
		finish(worker, &worker->ops[i]);
}

/* ---- kinds of work ---- */

static void sync_file(struct worker *worker, enum target target)
{
	struct aiocb cb = { .aio_fildes = worker->fds[target] };
	int error;

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (aio_fsync(O_SYNC, &cb) < 0) {
		if (!is_allowed(errno))
			fault("aio_fsync is refused: %s", strerrorname_np(errno));
		atomic_fetch_add(&report->nr_refused, 1);
		return;
	}
	wait_for(&cb);
	error = aio_error(&cb);
	if (aio_return(&cb) != (error ? -1 : 0) || (error && !is_allowed(error)))
		fault("aio_fsync ends with %s", strerrorname_np(error));
	if (error)
		atomic_fetch_add(&report->nr_failed, 1);
}

static void transfer_blocks(struct worker *worker, int opcode, enum target target)
{
	for (int i = 0; i < NR_OPS; i++) {
		prepare(worker, &worker->ops[i], opcode, target, 2 * i, 1);
		submit(&worker->ops[i]);
	}
	finish_all(worker, NR_OPS);
}

/* Reads that find nothing in memory, or that find half of it. */
static void read_cold(struct worker *worker)
{
	posix_fadvise(worker->fds[BUFFERED], 0, (off_t)NR_BLOCKS * BLOCK / 2, POSIX_FADV_DONTNEED);
	transfer_blocks(worker, LIO_READ, BUFFERED);
}

static void transfer_long(struct worker *worker, enum target target)
{
	prepare(worker, &worker->ops[0], LIO_WRITE, target, 0, LONG_BLOCKS);
	submit(&worker->ops[0]);
	prepare(worker, &worker->ops[1], LIO_READ, target, LONG_BLOCKS, LONG_BLOCKS);
	submit(&worker->ops[1]);
	finish_all(worker, 2);
}

/* An entry that a failed call has not begun shows an error, and no bytes instead of -1. */
static void transfer_list(struct worker *worker, int mode)
{
	struct aiocb *list[NR_OPS];
	int rc, error;

	for (int i = 0; i < NR_OPS; i++) {
		prepare(worker, &worker->ops[i], i % 3 ? LIO_READ : LIO_WRITE,
			i % 2 ? BUFFERED : DIRECT, 2 * i + 1, 1);
		list[i] = &worker->ops[i].cb;
	}
	rc = lio_listio(mode, list, NR_OPS, NULL);
	error = errno;
	if (rc < 0 && error != EIO && error != EINTR && !is_allowed(error))
		fault("lio_listio: %s", strerrorname_np(error));
	for (int i = 0; i < NR_OPS; i++) {
		struct op *op = &worker->ops[i];

		if (mode == LIO_WAIT && rc == 0 && aio_error(list[i]) != 0)
			fault("lio_listio returns 0, but an entry has %s",
			      strerrorname_np(aio_error(list[i])));
		op->is_begun = true;
		if (rc < 0) {
			wait_for(list[i]);
			op->is_begun = !aio_error(list[i]) || aio_return(list[i]) < 0;
			if (!op->is_begun)
				atomic_fetch_add(&report->nr_refused, 1);
		}
		finish(worker, op);
	}
}

/* A close that strace lets fail has not been made. */
static void close_surely(int fd)
{
	for (int i = 0; i < 1000 && close(fd) < 0 && errno != EBADF; i++)
		;
}

/* Two reads wait for a pipe; the bytes must come in their order. */
static void use_pipe(void)
{
	unsigned char bytes[2] = { 0 }, sent[2] = { 1, 2 };
	struct aiocb reads[2] = { 0 }, written = { 0 };
	int fds[2], nr_begun = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		reads[i].aio_fildes = fds[0];
		reads[i].aio_buf = &bytes[i];
		reads[i].aio_nbytes = 1;
		reads[i].aio_sigevent.sigev_notify = SIGEV_NONE;
		if (aio_read(&reads[i]) < 0) {
			if (!is_allowed(errno))
				fault("a read of a pipe is refused: %s", strerrorname_np(errno));
			break;
		}
		nr_begun++;
	}
	written.aio_fildes = fds[1];
	written.aio_buf = sent;
	written.aio_nbytes = 2;
	written.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (aio_write(&written) == 0) {
		wait_for(&written);
		if (aio_error(&written) == 0 && aio_return(&written) != 2)
			fault("a write of a pipe is short");
	}
	/* The reads of what was not written find the end. */
	close_surely(fds[1]);
	for (int i = 0; i < nr_begun; i++) {
		int error;

		wait_for(&reads[i]);
		error = aio_error(&reads[i]);
		if (error && !is_allowed(error))
			fault("a read of a pipe ends with %s", strerrorname_np(error));
		if (error)
			atomic_fetch_add(&report->nr_failed, 1);
		else if (aio_return(&reads[i]) != (bytes[i] != 0))
			fault("a read of a pipe returns a wrong number of bytes");
	}
	if (bytes[1] && bytes[0] > bytes[1])
		fault("reads of a pipe were answered out of order");
	close_surely(fds[0]);
}

/* A read that waits is cancelled, or says that it is not and is then answered. */
static void cancel_read(void)
{
	struct aiocb cb = { 0 };
	unsigned char byte;
	int fds[2], rc, error;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	cb.aio_fildes = fds[0];
	cb.aio_buf = &byte;
	cb.aio_nbytes = 1;
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (aio_read(&cb) == 0) {
		rc = aio_cancel(fds[0], &cb);
		if (rc < 0 && !is_allowed(errno))
			fault("aio_cancel: %s", strerrorname_np(errno));
		if (rc == AIO_CANCELED && aio_error(&cb) != ECANCELED)
			fault("a cancelled read has %s", strerrorname_np(aio_error(&cb)));
		if (rc == AIO_ALLDONE && aio_error(&cb) == EINPROGRESS)
			fault("aio_cancel: all is done, but a read is in progress");
		close_surely(fds[1]);
		wait_for(&cb);
		error = aio_error(&cb);
		if (error && !(error == ECANCELED && rc == AIO_CANCELED) && !is_allowed(error))
			fault("a read that was to be cancelled ends with %s",
			      strerrorname_np(error));
		aio_return(&cb);
	} else {
		if (!is_allowed(errno))
			fault("a read of a pipe is refused: %s", strerrorname_np(errno));
		atomic_fetch_add(&report->nr_refused, 1);
		close_surely(fds[1]);
	}
	close_surely(fds[0]);
}

static void call_back(union sigval value)
{
	sem_post(value.sival_ptr);
}

static void handle(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)context;
	sem_post(info->si_value.sival_ptr);
}

static void expect_one(sem_t *sem, const char *what)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += NOTICE_LIMIT_S;
	while (sem_timedwait(sem, &limit) < 0)
		if (errno == ETIMEDOUT) {
			fault("no %s", what);
			return;
		}
	if (sem_trywait(sem) == 0)
		fault("a %s too many", what);
}

static bool is_of_threads(void)
{
	return strcmp(call, "clone3") == 0 || strcmp(call, "mmap") == 0 ||
	       strcmp(call, "mprotect") == 0;
}

/* One request tells by a signal, one by a callback; each once. */
static void be_notified(struct worker *worker)
{
	struct op *signalled = &worker->ops[0], *called = &worker->ops[1];

	prepare(worker, signalled, LIO_READ, BUFFERED, 1, 1);
	signalled->cb.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
	signalled->cb.aio_sigevent.sigev_signo = SIGRTMIN;
	signalled->cb.aio_sigevent.sigev_value.sival_ptr = &worker->sems[0];
	prepare(worker, called, LIO_READ, DIRECT, 1, 1);
	called->cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
	called->cb.aio_sigevent.sigev_notify_function = call_back;
	called->cb.aio_sigevent.sigev_value.sival_ptr = &worker->sems[1];
	submit(signalled);
	submit(called);
	finish_all(worker, 2);
	/* A signal that the kernel refuses is lost, as with glibc. */
	if (signalled->is_begun && strcmp(call, "rt_sigqueueinfo") != 0)
		expect_one(&worker->sems[0], "signal");
	/* Without memory or threads for ever there is none to call it. */
	if (called->is_begun && !(strchr(when, '+') && is_of_threads()))
		expect_one(&worker->sems[1], "callback");
}

static void append_records(struct worker *worker)
{
	bool *was_appended = report->was_appended[worker->number] + worker->round * NR_APPENDED;

	for (int i = 0; i < NR_APPENDED; i++) {
		struct op *op = &worker->ops[i];

		prepare(worker, op, LIO_WRITE, BUFFERED, 0, 1);
		memset(op->buf, 1 + worker->round * NR_APPENDED + i, RECORD);
		op->cb.aio_fildes = worker->append_fd;
		op->cb.aio_nbytes = RECORD;
		submit(op);
	}
	for (int i = 0; i < NR_APPENDED; i++) {
		struct op *op = &worker->ops[i];

		if (!op->is_begun)
			continue;
		wait_for(&op->cb);
		if (aio_error(&op->cb) && !is_allowed(aio_error(&op->cb)))
			fault("an appended record ends with %s",
			      strerrorname_np(aio_error(&op->cb)));
		was_appended[i] = aio_error(&op->cb) == 0;
		if (!was_appended[i])
			atomic_fetch_add(&report->nr_failed, 1);
		else if (aio_return(&op->cb) != RECORD)
			fault("an appended record is short");
	}
}

/* The child of a fork reads what the parent has. */
static void fork_and_read(struct worker *worker)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (pid == 0) {
		prepare(worker, &worker->ops[0], LIO_READ, BUFFERED, 3, 1);
		prepare(worker, &worker->ops[1], LIO_READ, DIRECT, 3, 1);
		submit(&worker->ops[0]);
		submit(&worker->ops[1]);
		finish_all(worker, 2);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fault("the child of a fork has status %#x", (unsigned int)status);
}

static void do_round(struct worker *worker)
{
	for (enum target target = BUFFERED; target < NR_TARGETS; target++) {
		PART(transfer_blocks(worker, LIO_WRITE, target));
		PART(sync_file(worker, target));
		PART(transfer_blocks(worker, LIO_READ, target));
		PART(transfer_long(worker, target));
	}
	PART(read_cold(worker));
	PART(transfer_list(worker, LIO_WAIT));
	PART(transfer_list(worker, LIO_NOWAIT));
	PART(use_pipe());
	PART(cancel_read());
	PART(be_notified(worker));
	PART(append_records(worker));
	/* On glibc AIO does not work in the child of a fork. */
	if (getenv("LD_PRELOAD") && *getenv("LD_PRELOAD"))
		PART(fork_and_read(worker));
}

/* ---- the child ---- */

static void *work(void *arg)
{
	struct worker *worker = arg;

	atomic_fetch_add(&report->nr_ready, 1);
	while (syscall(SYS_getppid) != TRACER)
		;
	for (; worker->round < ROUNDS; worker->round++) {
		do_round(worker);
		atomic_fetch_add(&report->nr_ended[worker->round], 1);
		while (atomic_load(&report->may_go) <= worker->round)
			;
	}
	return NULL;
}

static void make_path(char *path, const char *kind, int number)
{
	snprintf(path, PATH_MAX, "%s/%s%d", directory, kind, number);
}

static bool open_files(struct worker *worker)
{
	char path[PATH_MAX];
	void *memory;

	make_path(path, "blocks", worker->number);
	worker->fds[BUFFERED] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	make_path(path, "direct", worker->number);
	worker->fds[DIRECT] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600);
	make_path(path, "records", worker->number);
	worker->append_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
	if (worker->fds[BUFFERED] < 0 || worker->fds[DIRECT] < 0 || worker->append_fd < 0)
		return false;
	for (int target = 0; target < NR_TARGETS; target++) {
		worker->version[target] = report->version[worker->number][target];
		for (int block = 0; block < NR_BLOCKS; block++) {
			if (posix_memalign(&memory, BLOCK, BLOCK) != 0)
				return false;
			memset(memory, byte_of(worker->number, target, block, 0), BLOCK);
			if (pwrite(worker->fds[target], memory, BLOCK, (off_t)block * BLOCK) !=
			    BLOCK)
				return false;
			free(memory);
		}
	}
	for (int i = 0; i < NR_OPS; i++) {
		if (posix_memalign(&memory, BLOCK, (size_t)LONG_BLOCKS * BLOCK) != 0)
			return false;
		worker->ops[i].buf = memory;
	}
	return sem_init(&worker->sems[0], 0, 0) == 0 && sem_init(&worker->sems[1], 0, 0) == 0;
}

static _Noreturn void run_child(void)
{
	static struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART };

	setpgid(0, 0);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGRTMIN, &action, NULL);
	for (int i = 0; i < NR_THREADS; i++) {
		workers[i].number = i;
		if (!open_files(&workers[i])) {
			fprintf(stderr, "faulted: cannot open files in %s: %s\n", directory,
				strerror(errno));
			_exit(2);
		}
	}
	for (int i = 1; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			_exit(2);
	work(&workers[0]);
	for (int i = 1; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* ---- the process that watches ---- */

static int count_entries(pid_t pid, const char *of)
{
	char path[64];
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, of);
	dir = opendir(path);
	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static pid_t start_strace(pid_t child, const char *log)
{
	char inject[128], trace[80], target[16], marker[64];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(inject, sizeof(inject), "inject=%s:error=%s:when=%s", call, error_name, when);
	snprintf(marker, sizeof(marker), "inject=getppid:retval=%d", TRACER);
	snprintf(trace, sizeof(trace), "trace=%s,getppid", call);
	snprintf(target, sizeof(target), "%d", (int)child);
	unsetenv("LD_PRELOAD");
	if (strcmp(call, "none") == 0)
		execlp("strace", "strace", "-f", "-qq", "-o", log, "-e", marker, "-p", target,
		       (char *)NULL);
	else
		execlp("strace", "strace", "-f", "-qq", "-o", log, "-e", trace, "-e", marker, "-e",
		       inject, "-p", target, (char *)NULL);
	perror("faulted: strace");
	_exit(127);
}

/* True once @condition holds; false if a process has ended, or the time is up. */
static bool wait_until(_Atomic int *counter, int value, pid_t child, pid_t tracer, int *status)
{
	uint64_t until = now_ms() + LIMIT_MS;

	while (atomic_load(counter) < value) {
		*status = -1;
		if (waitpid(child, status, WNOHANG) == child ||
		    (tracer && waitpid(tracer, NULL, WNOHANG) == tracer && kill(child, 0) < 0) ||
		    now_ms() > until)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return true;
}

static void report_end(pid_t child, int status)
{
	if (status < 0) {
		fault("hangs: thread 0 at line %d, thread 1 at line %d",
		      atomic_load(&report->line[0]), atomic_load(&report->line[1]));
		if (getenv("FAULTED_STOPS")) {
			fprintf(stderr, "faulted: process group %d hangs\n", (int)child);
			pause();
		}
	} else if (WIFSIGNALED(status)) {
		fault("killed by signal %d at lines %d, %d", WTERMSIG(status),
		      atomic_load(&report->line[0]), atomic_load(&report->line[1]));
	} else {
		fault("ends with status %d", WEXITSTATUS(status));
	}
}

static void check_blocks(int thread, int target, const char *kind)
{
	unsigned char buf[BLOCK];
	char path[PATH_MAX];
	int fd;

	make_path(path, kind, thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int block = 0; fd >= 0 && block < NR_BLOCKS; block++) {
		int version = report->version[thread][target][block];

		if (version == UNKNOWN)
			continue;
		if (pread(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
			fault("a file is short");
		for (int at = 0; at < BLOCK; at++)
			if (buf[at] != byte_of(thread, target, block, version)) {
				fault("target %d, block %d: the file has %u at %d", target, block,
				      buf[at], at);
				return;
			}
	}
	close(fd);
}

/* Whole records, in order; each that was confirmed once, others once or never. */
static void check_records(int thread)
{
	unsigned char record[RECORD];
	char path[PATH_MAX];
	int fd, next = 0;
	ssize_t size;

	make_path(path, "records", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((size = read(fd, record, RECORD)) > 0) {
		int number = record[0] - 1;

		if (size != RECORD || number < next || number >= ROUNDS * NR_APPENDED) {
			fault("appended: record %d after %d, %zd bytes", number, next - 1, size);
			break;
		}
		for (int at = 0; at < RECORD; at++)
			if (record[at] != number + 1)
				fault("appended: record %d is torn", number);
		for (; next < number; next++)
			if (report->was_appended[thread][next])
				fault("appended: record %d is lost", next);
		next = number + 1;
	}
	for (; next < ROUNDS * NR_APPENDED; next++)
		if (report->was_appended[thread][next])
			fault("appended: record %d is lost", next);
	close(fd);
}

static int count_injected(const char *log)
{
	FILE *file = fopen(log, "r");
	char *line = NULL;
	size_t size = 0;
	int nr = 0;

	while (file && getline(&line, &size, file) > 0)
		nr += strstr(line, "(INJECTED)") && strstr(line, error_name);
	if (file)
		fclose(file);
	free(line);
	return nr;
}

/* Rounds end together, so that what is open can be compared from one to the next. */
static bool watch(pid_t child, pid_t tracer, int *status)
{
	int nr_fds = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int nr;

		if (!wait_until(&report->nr_ended[round], NR_THREADS, child, tracer, status))
			return false;
		nr = count_entries(child, "fd");
		if (round == ROUNDS - 1 && nr > nr_fds)
			fault("%d descriptors became %d in one round", nr_fds, nr);
		nr_fds = nr;
		atomic_store(&report->may_go, round + 1);
	}
	return true;
}

static int errno_named(const char *name)
{
	for (int error = 1; error < 200; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcmp(name, known) == 0)
			return error;
	}
	return 0;
}

static void remove_files(void)
{
	char path[PATH_MAX];

	for (int i = 0; i < NR_THREADS; i++) {
		make_path(path, "blocks", i);
		unlink(path);
		make_path(path, "direct", i);
		unlink(path);
		make_path(path, "records", i);
		unlink(path);
	}
	rmdir(directory);
}

static void watch_child(const char *log)
{
	pid_t child = fork(), tracer;
	int status = -1;

	if (child == 0)
		run_child();
	if (!wait_until(&report->nr_ready, NR_THREADS, child, 0, &status)) {
		kill(child, SIGKILL);
		exit(2);
	}
	tracer = start_strace(child, log);
	if (watch(child, tracer, &status)) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			report_end(child, status);
	} else {
		report_end(child, status);
		kill(-child, SIGKILL);
		waitpid(child, &status, 0);
	}
	waitpid(tracer, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		exit(2);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");

	if (argc != 5) {
		fprintf(stderr, "usage: faulted LOG CALL ERROR WHEN\n");
		return 2;
	}
	call = argv[2];
	error_name = argv[3];
	when = argv[4];
	injected = errno_named(error_name);
	snprintf(directory, sizeof(directory), "%s/faulted.XXXXXX", tmp ? tmp : "/tmp");
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (report == MAP_FAILED || !mkdtemp(directory)) {
		perror("faulted");
		return 2;
	}
	watch_child(argv[1]);
	for (int thread = 0; thread < NR_THREADS && !report->has_fault; thread++) {
		check_blocks(thread, BUFFERED, "blocks");
		check_blocks(thread, DIRECT, "direct");
		check_records(thread);
	}
	remove_files();
	if (report->has_fault)
		printf("FAULT %s (%d calls failed)\n", report->fault, count_injected(argv[1]));
	else
		printf("ok %d %d %d\n", count_injected(argv[1]), report->nr_refused,
		       report->nr_failed);
	return report->has_fault;
}
