// SPDX-License-Identifier: MIT
/*
 * explain.c - the observer behind RTAIO_EXPLAIN: counts all requests, and notes a sample of them.
 *
 * `rtaio explain` reads the file that this makes (explain_file.h), while the program runs and afterwards.
 *
 * The clock and the kernel are asked only for the sample, since that takes longer than many a request.  A
 * thread draws the next request to note at random, so that no pattern of the program's is missed, and so
 * far ahead that notes take less than a hundredth of its time.  Threads share the file, and the table of
 * requests in the sample that are not collected yet: all that by relaxed atomic operations, for a race
 * costs a sample at the most.  A handler that interrupts one of these functions is another such thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/observe.h"
#include "base/clock.h"
#include "base/probes.h"
#include "base/raw_syscall.h"
#include "observers/explain_file.h"
#include "request/request.h"

#define EXPORT __attribute__((visibility("default")))

#define GAP_MIN_NS   200000u /* between two notes of a thread, more or less: a note takes 1 to 2 us */
#define GAP_MAX_NS   800000u
#define INTERVAL_MAX 4096u
#define PENDING_NR   1024u
#define LIST_NOTES   32 /* most notes of one list */

static struct explain_file *file;
static struct aio_calls calls;
static bool is_glibc;

/* ---- counters ---- */

/* One of @interval calls is timed. */
struct sampler {
	int left; /* calls before the next one */
	uint32_t interval;
	uint64_t last_ns;
};

static _Thread_local struct {
	unsigned row; /* plus one */
	uint32_t random;
	struct sampler submissions;
	struct sampler waits;
} self __attribute__((tls_model("initial-exec")));

static __attribute__((noinline)) void choose_row(void)
{
	static _Atomic unsigned nr_rows;
	unsigned nr = 1 + atomic_fetch_add(&nr_rows, 1);

	self.row = nr < EXPLAIN_ROWS ? nr : EXPLAIN_ROWS;
	self.random = nr * 2654435761u | 1;
}

static inline unsigned own_row(void)
{
	if (__builtin_expect(self.row == 0, 0))
		choose_row();
	return self.row - 1;
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* All threads that came late have the last row.  Any other has one writer, and its handlers. */
static inline void add_in_row(unsigned row, _Atomic uint64_t *counter, uint64_t n)
{
#ifdef __x86_64__
	/* No handler can come amid one instruction, and no lock is needed, which costs ten times as much. */
	if (__builtin_expect(row < EXPLAIN_ROWS - 1, 1)) {
		__asm__("addq %1, %0" : "+m"(*counter) : "er"(n));
		return;
	}
#endif
	(void)row;
	add(counter, n);
}

#define COUNT(name, n) add_in_row(own_row(), &file->rows[own_row()].name, (n))

/* xorshift: good enough to meet no pattern. */
static uint32_t draw(uint32_t limit)
{
	self.random ^= self.random << 13;
	self.random ^= self.random >> 17;
	self.random ^= self.random << 5;
	return self.random % limit;
}

static bool is_next(struct sampler *sampler)
{
	return --sampler->left < 0;
}

/* A call is timed at @now.  Returns for how many calls it stands. */
static uint32_t draw_next(struct sampler *sampler, uint64_t now)
{
	uint32_t weight = sampler->interval ? sampler->interval : 1;
	uint64_t gap = now - sampler->last_ns;

	sampler->interval = weight;
	if (gap < GAP_MIN_NS && weight < INTERVAL_MAX)
		sampler->interval *= 2;
	else if (gap > GAP_MAX_NS && weight > 1)
		sampler->interval /= 2;
	sampler->last_ns = now;
	own_row(); /* seeds */
	sampler->left = (int)draw(2 * sampler->interval - 1);
	return weight;
}

/*
 * The time of all calls that a timed one stands for.  @since: when the thread timed one before, or 0.
 * They took no longer than the thread was there: one long wait is not like those before it.
 */
static uint64_t estimate(uint64_t took, uint64_t weight, uint64_t since, uint64_t now)
{
	uint64_t all = took * weight, most = now - since;

	return since && all > most ? most : all;
}

/* ---- files ---- */

static enum explain_kind kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return EXPLAIN_FILE;
	if (S_ISBLK(mode))
		return EXPLAIN_BLOCK_DEVICE;
	if (S_ISFIFO(mode))
		return EXPLAIN_PIPE;
	if (S_ISSOCK(mode))
		return EXPLAIN_SOCKET;
	return S_ISCHR(mode) ? EXPLAIN_TERMINAL : EXPLAIN_UNKNOWN;
}

/* The end of a path that is too long says more than its beginning. */
static void write_path(struct explain_file_name *name, int fd)
{
	char link[32], path[4096];
	long length;
	size_t from;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = RAW_SYSCALL(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path));
	if (length < 0)
		return;
	from = (size_t)length < sizeof(name->path) ? 0 : (size_t)length - sizeof(name->path) + 1;
	memcpy(name->path, path + from, (size_t)length - from);
}

static uint16_t name_of(uint64_t device, uint64_t inode, int fd)
{
	unsigned at = (unsigned)((inode * 2654435761u) ^ device);

	for (unsigned i = 0; i < 8; i++) {
		struct explain_file_name *name = &file->names[(at + i) % (EXPLAIN_FILES - 1)];
		uint32_t state = 0;

		if (atomic_load(&name->state) == 0 &&
		    atomic_compare_exchange_strong(&name->state, &state, 1)) {
			name->device = device;
			name->inode = inode;
			write_path(name, fd);
			atomic_store(&name->state, 2);
		}
		if (name->device == device && name->inode == inode)
			return (uint16_t)((at + i) % (EXPLAIN_FILES - 1));
	}
	add(&file->nr_unnamed, 1);
	return EXPLAIN_FILES - 1;
}

/* Ask no server of a network file system: it may not answer. */
static void describe_file(struct explain_sample *sample, int fd)
{
	struct statx found = { 0 };
	long mode = RAW_SYSCALL(SYS_fcntl, fd, F_GETFL);

	sample->flags = mode < 0 ? 0 : (uint32_t)mode;
	sample->kind = EXPLAIN_UNKNOWN;
	sample->file = EXPLAIN_FILES - 1;
	if (mode < 0 || RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				    STATX_TYPE | STATX_INO, &found) < 0)
		return;
	sample->kind = (uint8_t)kind_of(found.stx_mode);
	sample->file = name_of((uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor,
			       found.stx_ino, fd);
}

/* ---- the sample ---- */

/* Requests of the sample that are not collected: a table hashed by the aiocb. */
static struct {
	_Atomic(const struct aiocb *) cb;
	_Atomic uint32_t sample; /* index */
} pending[PENDING_NR];

static unsigned hash(const struct aiocb *cb)
{
	return (unsigned)((uintptr_t)cb * UINT64_C(0x9e3779b97f4a7c15) >> 54) % PENDING_NR;
}

static struct explain_sample *find(const struct aiocb *cb)
{
	unsigned at = hash(cb);

	if (atomic_load_explicit(&pending[at].cb, memory_order_relaxed) != cb)
		return NULL;
	return &file->samples[atomic_load_explicit(&pending[at].sample, memory_order_relaxed)];
}

/* Nothing more will be noted of the last request with this hash. */
static void release(unsigned at)
{
	if (!atomic_exchange(&pending[at].cb, NULL))
		return;
	atomic_store(&file->samples[atomic_load(&pending[at].sample)].state, EXPLAIN_DONE);
}

/* The request is not in the sample; an earlier one with the same aiocb may have been. */
static void forget(const struct aiocb *cb)
{
	if (__builtin_expect(find(cb) != NULL, 0))
		release(hash(cb));
}

/* NULL: the file is full, and this request does not replace another. */
static struct explain_sample *take(void)
{
	uint64_t nr = atomic_fetch_add(&file->nr_samples, 1);
	uint32_t at = (uint32_t)nr, state = EXPLAIN_DONE;

	if (nr >= EXPLAIN_SAMPLES) {
		own_row();
		at = draw(nr < UINT32_MAX ? (uint32_t)nr : UINT32_MAX);
		if (at >= EXPLAIN_SAMPLES ||
		    !atomic_compare_exchange_strong(&file->samples[at].state, &state,
						    EXPLAIN_IN_USE))
			return NULL;
	}
	atomic_store(&file->samples[at].state, EXPLAIN_IN_USE);
	return &file->samples[at];
}

/* Requests that the program has submitted and not collected. */
static uint32_t depth_now(void)
{
	uint64_t submitted = 0, completed = 0, collected = 0;

	for (unsigned i = 0; i < EXPLAIN_ROWS; i++) {
		submitted += file->rows[i].submitted;
		completed += file->rows[i].completed;
		collected += file->rows[i].collected;
	}
	/* Some programs never collect. */
	if (collected == 0)
		collected = completed;
	return submitted > collected ? (uint32_t)(submitted - collected) : 0;
}

/* A block of zeros asks for the null signal, that is, for none. */
static uint8_t notification_of(const struct sigevent *event)
{
	bool is_null = event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo == 0;

	return (uint8_t)(is_null ? SIGEV_NONE : event->sigev_notify);
}

/* Note @cb, which is submitted next, together with @nr_before others. */
static struct explain_sample *note(const struct aiocb *cb, enum request_op op, uint64_t now,
				   unsigned nr_before)
{
	uint32_t weight = draw_next(&self.submissions, now);
	struct explain_sample *sample = take();
	bool is_sync = op == OP_FSYNC || op == OP_FDATASYNC;

	if (!sample)
		return NULL;
	*sample = (struct explain_sample){
		.state = EXPLAIN_IN_USE,
		.weight = weight,
		.submitted_ns = now,
		.nbytes = is_sync ? 0 : cb->aio_nbytes,
		.offset = is_sync ? 0 : cb->aio_offset,
		.op = (uint8_t)op,
		.notify = notification_of(&cb->aio_sigevent),
		.row = own_row(),
		.depth = depth_now() + nr_before + 1,
	};
	describe_file(sample, cb->aio_fildes);
	release(hash(cb));
	atomic_store(&pending[hash(cb)].sample, (uint32_t)(sample - file->samples));
	atomic_store(&pending[hash(cb)].cb, cb);
	return sample;
}

/* The call that submitted the sample has returned; @share_ns: its part of the time of the call. */
static void end_note(struct explain_sample *sample, uint64_t share_ns)
{
	sample->call_ns = share_ns < UINT32_MAX ? (uint32_t)share_ns : UINT32_MAX;
}

/* ---- the program's calls ---- */

static int do_submit(struct aiocb *cb, enum request_op op)
{
	if (op == OP_READ)
		return calls.aio_read(cb);
	if (op == OP_WRITE)
		return calls.aio_write(cb);
	return calls.aio_fsync(op == OP_FSYNC ? O_SYNC : O_DSYNC, cb);
}

static int submit_noted(struct aiocb *cb, enum request_op op)
{
	uint64_t since = self.submissions.last_ns, began = clock_now_ns(), ended;
	struct explain_sample *sample = note(cb, op, began, 0);
	int ret;

	/* The kernel was asked about the file meanwhile. */
	began = clock_now_ns();
	if (sample)
		sample->submitted_ns = began;
	ret = do_submit(cb, op);
	ended = clock_now_ns();
	if (!sample)
		return ret;
	if (ret == 0) {
		COUNT(submitting_ns, estimate(ended - began, sample->weight, since, ended));
		end_note(sample, ended - began);
	} else {
		sample->submitted_ns = 0; /* it never was a request */
		forget(cb);
	}
	return ret;
}

static int submit(struct aiocb *cb, enum request_op op)
{
	int ret;

	if (is_next(&self.submissions)) {
		ret = submit_noted(cb, op);
	} else {
		forget(cb);
		ret = do_submit(cb, op);
	}
	if (ret == 0)
		COUNT(submitted, 1);
	return ret;
}

static int explain_aio_read(struct aiocb *cb)
{
	return submit(cb, OP_READ);
}

static int explain_aio_write(struct aiocb *cb)
{
	return submit(cb, OP_WRITE);
}

static int explain_aio_fsync(int op, struct aiocb *cb)
{
	return submit(cb, op == O_SYNC ? OP_FSYNC : OP_FDATASYNC);
}

static int explain_aio_error(const struct aiocb *cb)
{
	int err = calls.aio_error(cb);

	if (err == EINPROGRESS)
		COUNT(polls, 1);
	return err;
}

static ssize_t explain_aio_return(struct aiocb *cb)
{
	struct explain_sample *sample;
	int err = is_glibc ? calls.aio_error(cb) : 0; /* its result is undefined afterwards */
	ssize_t res = calls.aio_return(cb);

	COUNT(collected, 1);
	if (err)
		COUNT(errors, 1);
	sample = find(cb);
	if (sample) {
		if (is_glibc)
			sample->result = err ? -err : res;
		sample->collected_ns = clock_now_ns();
		release(hash(cb));
	}
	return res;
}

static int explain_aio_suspend(const struct aiocb *const list[], int nent,
			       const struct timespec *timeout)
{
	uint64_t since = self.waits.last_ns, began, ended;
	uint32_t weight;
	int ret;

	COUNT(waits, 1);
	if (!is_next(&self.waits))
		return calls.aio_suspend(list, nent, timeout);
	began = clock_now_ns();
	weight = draw_next(&self.waits, began);
	ret = calls.aio_suspend(list, nent, timeout);
	ended = clock_now_ns();
	COUNT(waiting_ns, estimate(ended - began, weight, since, ended));
	return ret;
}

static int explain_aio_cancel(int fd, struct aiocb *cb)
{
	return calls.aio_cancel(fd, cb);
}

static void explain_aio_init(const struct aioinit *init)
{
	calls.aio_init(init);
}

/* ---- lists ---- */

struct list {
	struct explain_sample *samples[LIST_NOTES];
	int nr_samples;
	unsigned nr_entries;
	uint64_t weight; /* of the samples */
};

static enum request_op op_of(const struct aiocb *cb)
{
	if (!cb || (cb->aio_lio_opcode != LIO_READ && cb->aio_lio_opcode != LIO_WRITE))
		return OP_INVALID;
	return cb->aio_lio_opcode == LIO_READ ? OP_READ : OP_WRITE;
}

static void note_entry(struct list *list, const struct aiocb *cb, enum request_op op)
{
	struct explain_sample *sample = NULL;

	if (list->nr_samples < LIST_NOTES && is_next(&self.submissions))
		sample = note(cb, op, clock_now_ns(), list->nr_entries);
	else
		forget(cb);
	list->nr_entries++;
	if (!sample)
		return;
	sample->in_list = 1;
	list->weight += sample->weight;
	list->samples[list->nr_samples++] = sample;
}

static void note_entries(struct list *list, struct aiocb *const entries[], int nent)
{
	for (int i = 0; i < nent; i++) {
		enum request_op op = op_of(entries[i]);

		if (op != OP_INVALID)
			note_entry(list, entries[i], op);
	}
}

static int explain_list(int mode, struct aiocb *const entries[], int nent, struct sigevent *event,
			__typeof__(calls.lio_listio) call)
{
	struct list list = { .nr_samples = 0 };
	uint64_t began = 0, share;
	int ret;

	note_entries(&list, entries, nent);
	if (list.nr_samples > 0)
		began = clock_now_ns();
	for (int i = 0; i < list.nr_samples; i++)
		list.samples[i]->submitted_ns = began;
	ret = call(mode, entries, nent, event);
	COUNT(lists, 1);
	if (mode == LIO_WAIT)
		COUNT(waits, 1);
	COUNT(submitted, list.nr_entries);
	if (list.nr_samples == 0)
		return ret;
	share = (clock_now_ns() - began) / list.nr_entries;
	for (int i = 0; i < list.nr_samples; i++)
		end_note(list.samples[i], mode == LIO_WAIT ? 0 : share);
	if (mode == LIO_WAIT)
		COUNT(waiting_ns, share * list.weight);
	else
		COUNT(submitting_ns, share * list.weight);
	return ret;
}

static int explain_lio_listio(int mode, struct aiocb *const entries[], int nent,
			      struct sigevent *event)
{
	return explain_list(mode, entries, nent, event, calls.lio_listio);
}

static int explain_lio_listio_old(int mode, struct aiocb *const entries[], int nent,
				  struct sigevent *event)
{
	return explain_list(mode, entries, nent, event, calls.lio_listio_old);
}

static const struct aio_calls explain_calls = {
	.aio_read = explain_aio_read,
	.aio_write = explain_aio_write,
	.aio_fsync = explain_aio_fsync,
	.aio_error = explain_aio_error,
	.aio_return = explain_aio_return,
	.aio_suspend = explain_aio_suspend,
	.aio_cancel = explain_aio_cancel,
	.lio_listio = explain_lio_listio,
	.lio_listio_old = explain_lio_listio_old,
	.aio_init = explain_aio_init,
};

/* ---- what the library tells ---- */

static void refused(const struct aiocb *cb, enum refusal why)
{
	struct explain_sample *sample = find(cb);

	if (sample)
		sample->refusal = (uint8_t)why;
}

static void issued(const struct aiocb *cb, int lane)
{
	struct explain_sample *sample = find(cb);

	if (sample)
		sample->lane = (uint8_t)lane;
}

static void completed(const struct aiocb *cb, ssize_t res)
{
	struct explain_sample *sample = find(cb);

	COUNT(completed, 1);
	if (res < 0)
		COUNT(errors, 1);
	if (!sample || sample->completed_ns)
		return;
	/* What was refused and never issued was cancelled, or another sync did its work. */
	if (sample->lane == 0 && sample->refusal == REFUSED_none)
		sample->lane = PROBE_INLINE;
	sample->result = res;
	sample->completed_ns = clock_now_ns();
}

static void ending(void)
{
	atomic_store(&file->ended_ns, clock_now_ns());
}

/* ---- the file ---- */

/* exec keeps the pid: then a number follows. */
static int create(const char *directory)
{
	char path[512];
	long fd = -EEXIST;

	for (int i = 0; fd == -EEXIST && i < 1000; i++) {
		snprintf(path, sizeof(path), "%s/%ld-%d", directory, RAW_SYSCALL(SYS_getpid), i);
		fd = RAW_SYSCALL(SYS_openat, AT_FDCWD, path,
				 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return (int)fd;
}

/* All of it, since a write to a page without room would be SIGBUS; within the limit, or SIGXFSZ comes. */
static long reserve(int fd)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit);
	if (limit.rlim_cur < sizeof(*file))
		return -EFBIG;
	return RAW_SYSCALL(SYS_fallocate, fd, 0, 0L, sizeof(*file));
}

static long map_file(const char *directory)
{
	int fd = create(directory);
	long at = fd < 0 ? fd : reserve(fd);

	if (at == 0)
		at = RAW_SYSCALL(SYS_mmap, NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED,
				 fd, 0L);
	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
	return at;
}

static void write_command(char *out, size_t size)
{
	long fd = RAW_SYSCALL(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0),
	     length = fd < 0 ? 0 : RAW_SYSCALL(SYS_read, fd, out, size - 1);

	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
	if (length <= 0)
		snprintf(out, size, "%s", program_invocation_short_name);
	for (long i = 0; i + 1 < length; i++)
		if (out[i] == '\0')
			out[i] = ' ';
}

static bool start(const struct observed *observed, bool is_child)
{
	long at;

	if (strcmp(observed->version, RTAIO_VERSION) != 0) {
		observed->log_line("explain is of version %s: nothing is noted", RTAIO_VERSION);
		return false;
	}
	if (is_child && file)
		RAW_SYSCALL(SYS_munmap, file, sizeof(*file)); /* the parent's */
	file = NULL;
	memset(pending, 0, sizeof(pending));
	at = map_file(observed->argument);
	if (raw_is_error(at)) {
		observed->log_line("explain: no file in %s: %s", observed->argument,
				   strerror((int)-at));
		return false;
	}
	file = (struct explain_file *)at;
	calls = *observed->calls;
	is_glibc = observed->config->backend == BACKEND_GLIBC;
	file->size = sizeof(*file);
	file->pid = (uint32_t)RAW_SYSCALL(SYS_getpid);
	strcpy(file->version, RTAIO_VERSION);
	snprintf(file->backend, sizeof(file->backend), "%s",
		 observed->backend_names[observed->config->backend]);
	write_command(file->command, sizeof(file->command));
	file->started_ns = clock_now_ns();
	atomic_store(&file->magic, EXPLAIN_MAGIC);
	return true;
}

EXPORT extern const struct observer rtaio_observer;

const struct observer rtaio_observer = {
	.start = start,
	.calls = &explain_calls,
	.refused = refused,
	.issued = issued,
	.completed = completed,
	.ending = ending,
};
