// SPDX-License-Identifier: MIT
/*
 * workload.c - the contract is in workload.h
 */
#include "workload.h"

#include "disturb.h"
#include "op.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOTICE_LIMIT_S \
	20 /* so long a signal or a callback may take on a machine that has other work */

/* A part of a round; where it hangs or crashes is known by the line. */
#define PART(part)                                                     \
	do {                                                           \
		atomic_store(&report->line[worker->number], __LINE__); \
		part;                                                  \
	} while (0)

static bool is_of_malloc(void)
{
	return strcmp(call, "malloc") == 0;
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
		op_prepare(worker, &worker->ops[i], opcode, target, 2 * i, 1);
		op_submit(&worker->ops[i]);
	}
	op_finish_all(worker, NR_OPS);
}

/* Reads that find nothing in memory, or that find half of it. */
static void read_cold(struct worker *worker)
{
	posix_fadvise(worker->fds[BUFFERED], 0, (off_t)NR_BLOCKS * BLOCK / 2, POSIX_FADV_DONTNEED);
	transfer_blocks(worker, LIO_READ, BUFFERED);
}

static void transfer_long(struct worker *worker, enum target target)
{
	op_prepare(worker, &worker->ops[0], LIO_WRITE, target, 0, LONG_BLOCKS);
	op_submit(&worker->ops[0]);
	op_prepare(worker, &worker->ops[1], LIO_READ, target, LONG_BLOCKS, LONG_BLOCKS);
	op_submit(&worker->ops[1]);
	op_finish_all(worker, 2);
}

/* An entry that a failed call has not begun shows an error, and no bytes instead of -1. */
static void transfer_list(struct worker *worker, int mode)
{
	struct aiocb *list[NR_OPS];
	int rc, error;

	for (int i = 0; i < NR_OPS; i++) {
		op_prepare(worker, &worker->ops[i], i % 3 ? LIO_READ : LIO_WRITE,
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
		op_finish(worker, op);
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

static bool has_one_processor(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1;
}

/* Its attributes take memory, which the library has or refuses the request. */
static void call_back(union sigval value)
{
	if (is_of_malloc() && !has_one_processor())
		fault("a callback has lost its processor");
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
	       strcmp(call, "mprotect") == 0 || is_of_malloc();
}

/* Without memory or threads for ever there is none for a callback. */
static bool may_lack_threads(void)
{
	return strncmp(call, "RLIMIT_", 7) == 0 || (strchr(when, '+') && is_of_threads());
}

/* One request tells by a signal, one by a callback; each once. */
static void be_notified(struct worker *worker)
{
	struct op *signalled = &worker->ops[0], *called = &worker->ops[1];

	op_prepare(worker, signalled, LIO_READ, BUFFERED, 1, 1);
	signalled->cb.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
	signalled->cb.aio_sigevent.sigev_signo = SIGRTMIN;
	signalled->cb.aio_sigevent.sigev_value.sival_ptr = &worker->sems[0];
	op_prepare(worker, called, LIO_READ, DIRECT, 1, 1);
	called->cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
	called->cb.aio_sigevent.sigev_notify_function = call_back;
	called->cb.aio_sigevent.sigev_value.sival_ptr = &worker->sems[1];
	called->cb.aio_sigevent.sigev_notify_attributes = &worker->attributes;
	op_submit(signalled);
	op_submit(called);
	op_finish_all(worker, 2);
	/* A signal that the kernel refuses is lost, as with glibc. */
	if (signalled->is_begun && strcmp(call, "rt_sigqueueinfo") != 0)
		expect_one(&worker->sems[0], "signal");
	if (called->is_begun && !may_lack_threads())
		expect_one(&worker->sems[1], "callback");
}

static void append_records(struct worker *worker)
{
	bool *was_appended = report->was_appended[worker->number] + worker->round * NR_APPENDED;

	for (int i = 0; i < NR_APPENDED; i++) {
		struct op *op = &worker->ops[i];

		op_prepare(worker, op, LIO_WRITE, BUFFERED, 0, 1);
		memset(op->buf, 1 + worker->round * NR_APPENDED + i, RECORD);
		op->cb.aio_fildes = worker->append_fd;
		op->cb.aio_nbytes = RECORD;
		op_submit(op);
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
		op_prepare(worker, &worker->ops[0], LIO_READ, BUFFERED, 3, 1);
		op_prepare(worker, &worker->ops[1], LIO_READ, DIRECT, 3, 1);
		op_submit(&worker->ops[0]);
		op_submit(&worker->ops[1]);
		op_finish_all(worker, 2);
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
	while (syscall(SYS_getppid) != TRACER && !atomic_load(&report->has_begun))
		;
	for (; worker->round < ROUNDS; worker->round++) {
		disturb_thread(worker->number, worker->round);
		do_round(worker);
		atomic_fetch_add(&report->nr_ended[worker->round], 1);
		while (atomic_load(&report->may_go) <= worker->round)
			;
	}
	return NULL;
}

static bool set_attributes(pthread_attr_t *attributes)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	return pthread_attr_init(attributes) == 0 &&
	       (!is_of_malloc() ||
		pthread_attr_setaffinity_np(attributes, sizeof(here), &here) == 0);
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
	return sem_init(&worker->sems[0], 0, 0) == 0 && sem_init(&worker->sems[1], 0, 0) == 0 &&
	       set_attributes(&worker->attributes);
}

_Noreturn void workload_run(void)
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
	disturb_prepare();
	work(&workers[0]);
	for (int i = 1; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}
