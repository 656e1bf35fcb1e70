// SPDX-License-Identifier: MIT
/*
 * requests.c - libFuzzer target: calls with control blocks of any contents
 *
 * Each call must return an error, or its request must end; no memory behind the buffer may
 * change.  Faults of the program itself are left out: a buffer is as long as its block says,
 * or its address is bad; a callback is a function; a block is not used again before its
 * request has ended.
 */
#include "demand.h"

#include <aio.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NR_BLOCKS 8
#define NR_FDS    10
#define NR_BYTES  (1 << 20)
#define FILE_MAX  (256 << 10)
#define NR_GUARDS 4096
#define GUARD     0x5a

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct input {
	const unsigned char *at;
	size_t left;
};

static struct aiocb blocks[NR_BLOCKS];
static bool is_submitted[NR_BLOCKS];
static unsigned char *bytes, *no_access;
static int fds[NR_FDS], ends[2];

static uint64_t take(struct input *input, size_t nr_bytes)
{
	uint64_t value = 0;

	if (nr_bytes > input->left)
		nr_bytes = input->left;
	memcpy(&value, input->at, nr_bytes);
	input->at += nr_bytes;
	input->left -= nr_bytes;
	return value;
}

/* Small numbers and those at the edges are more telling than any. */
static uint64_t take_number(struct input *input)
{
	static const uint64_t edges[] = { 0,       1,         511,        4096,       FILE_MAX,
					  INT_MAX, SSIZE_MAX, UINT64_MAX, 1ull << 32, 0x7ffff000 };
	unsigned int kind = (unsigned int)take(input, 1);

	if (kind < 64)
		return edges[kind % (sizeof(edges) / sizeof(*edges))];
	return kind < 160 ? take(input, 2) : take(input, 8);
}

static void *take_buffer(struct input *input)
{
	switch (take(input, 1) % 6) {
	case 0:
		return NULL;
	case 1:
		return no_access;
	case 2:
		return (void *)(UINTPTR_MAX - 4095);
	case 3:
		return bytes + 1;
	default:
		return bytes;
	}
}

static void ignore(union sigval value)
{
	(void)value;
}

/* Not one that would end the program. */
static int sound_signal(int signo)
{
	return signo > 0 && signo < SIGRTMIN ? SIGUSR1 : signo;
}

static void take_block(struct input *input, struct aiocb *cb)
{
	unsigned int kind = (unsigned int)take(input, 1);

	memset(cb, (int)take(input, 1), sizeof(*cb));
	cb->aio_fildes = kind < 224 ? fds[kind % NR_FDS] : (int)take(input, 4);
	cb->aio_buf = take_buffer(input);
	cb->aio_nbytes = take_number(input);
	/*
	 * The kernel may use all of a buffer: with O_DIRECT a hole is read beyond the end of its
	 * file.
	 */
	if (cb->aio_buf == bytes || cb->aio_buf == bytes + 1)
		cb->aio_nbytes %= NR_BYTES - NR_GUARDS;
	cb->aio_offset = (off_t)take_number(input);
	cb->aio_reqprio = take(input, 1) % 4 ? 0 : (int)take(input, 4);
	cb->aio_lio_opcode = (int)take(input, 1) % 5;
	cb->aio_sigevent.sigev_notify = take(input, 1) % 4 ? SIGEV_NONE : (int)take(input, 1) % 6;
	cb->aio_sigevent.sigev_signo = sound_signal((int)take(input, 4));
	cb->aio_sigevent.sigev_notify_function = ignore;
	cb->aio_sigevent.sigev_notify_attributes = NULL;
}

static bool may_use_fd(int fd)
{
	/* The program's own, and those of the library, are not to be written to by chance. */
	for (int i = 0; i < NR_FDS; i++)
		if (fd == fds[i])
			return true;
	return fcntl(fd, F_GETFD) < 0;
}

static int take_free(struct input *input)
{
	int i = (int)take(input, 1) % NR_BLOCKS;

	if (is_submitted[i] && aio_error(&blocks[i]) == EINPROGRESS)
		return -1;
	is_submitted[i] = false;
	take_block(input, &blocks[i]);
	return may_use_fd(blocks[i].aio_fildes) ? i : -1;
}

static void submit(struct input *input, int call)
{
	int i = take_free(input), rc, op;

	if (i < 0)
		return;
	op = take(input, 1) % 4 ? O_DSYNC : (int)take(input, 4);
	errno = 0;
	rc = call == 0   ? aio_read(&blocks[i])
	     : call == 1 ? aio_write(&blocks[i])
			 : aio_fsync(op, &blocks[i]);
	demand(rc == 0 || (rc == -1 && errno > 0));
	is_submitted[i] = rc == 0;
}

static void submit_list(struct input *input)
{
	struct aiocb *list[NR_BLOCKS] = { NULL };
	struct sigevent event = { .sigev_notify = (int)take(input, 1) % 6,
				  .sigev_signo = sound_signal((int)take(input, 1)) };
	int nr = (int)take(input, 1) % (NR_BLOCKS + 1), mode = (int)take(input, 1) % 3, rc;
	bool is_listed[NR_BLOCKS] = { false };

	event.sigev_notify_function = ignore;
	for (int n = 0; n < nr; n++) {
		int i = take_free(input);

		list[n] = i < 0 || is_listed[i] ? NULL : &blocks[i];
		if (i >= 0)
			is_listed[i] = true;
	}
	/* A number that is none is refused; a long list would be read behind its end. */
	nr = take(input, 1) % 8 ? nr : -nr;
	errno = 0;
	rc = lio_listio(mode, list, nr, take(input, 1) % 2 ? &event : NULL);
	demand(rc == 0 || (rc == -1 && errno > 0));
	for (int n = 0; n < nr; n++)
		if (list[n])
			is_submitted[list[n] - blocks] = true;
}

static void ask(struct input *input)
{
	int i = (int)take(input, 1) % NR_BLOCKS, fd = fds[take(input, 1) % NR_FDS];
	const struct aiocb *list[] = { &blocks[i], NULL };
	struct timespec at_once = { .tv_nsec = (long)(take(input, 1) % 2 * take(input, 8)) };

	if (!is_submitted[i])
		return;
	switch (take(input, 1) % 4) {
	case 0:
		aio_cancel(fd, NULL);
		break;
	case 1:
		aio_cancel(fd, &blocks[i]);
		break;
	case 2:
		if (at_once.tv_nsec < 0 || at_once.tv_nsec > 1000000)
			at_once.tv_nsec %= 1000000;
		aio_suspend(list, 2, &at_once);
		break;
	default:
		if (aio_error(&blocks[i]) != EINPROGRESS) {
			aio_return(&blocks[i]);
			is_submitted[i] = false;
		}
	}
}

/* Readers of the pipe get what they want; then nothing may be left in flight. */
static void finish(void)
{
	static char some[4096];

	for (int i = 0; i < NR_BLOCKS; i++) {
		const struct aiocb *list[] = { &blocks[i] };

		while (is_submitted[i] && aio_error(&blocks[i]) == EINPROGRESS) {
			struct timespec soon = { .tv_nsec = 1000000 };

			aio_cancel(blocks[i].aio_fildes, &blocks[i]);
			if (aio_suspend(list, 1, &soon) < 0 && write(ends[1], some, 1) < 0)
				demand(errno == EAGAIN);
			while (aio_error(&blocks[i]) == EINPROGRESS &&
			       blocks[i].aio_fildes == ends[1] &&
			       read(ends[0], some, sizeof(some)) > 0)
				;
		}
		if (is_submitted[i])
			aio_return(&blocks[i]);
		is_submitted[i] = false;
	}
	while (read(ends[0], some, sizeof(some)) > 0)
		;
	for (int i = 0; i < NR_GUARDS - 1; i++)
		demand(bytes[NR_BYTES - 1 - i] == GUARD);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct input input = { data, size };

	while (input.left > 0) {
		int call = (int)take(&input, 1) % 6;

		if (call < 3)
			submit(&input, call);
		else if (call == 3)
			submit_list(&input);
		else
			ask(&input);
	}
	finish();
	if (ftruncate(fds[0], FILE_MAX / 4) < 0)
		abort();
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit limit = { FILE_MAX, RLIM_INFINITY };
	int sockets[2];

	(void)argc, (void)argv;
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		signal(signo, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	bytes = mmap(NULL, NR_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	no_access = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	demand(bytes != MAP_FAILED && no_access != MAP_FAILED);
	memset(bytes, GUARD, NR_BYTES);
	demand(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	demand(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sockets) == 0);
	fds[0] = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fds[1] = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
	fds[2] = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[4] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	fds[5] = open(".", O_PATH | O_CLOEXEC);
	fds[6] = ends[0];
	fds[7] = ends[1];
	fds[8] = sockets[0];
	fds[9] = -1;
	for (int i = 0; i < NR_FDS - 1; i++)
		demand(fds[i] >= 0);
	return 0;
}
