// SPDX-License-Identifier: MIT
/*
 * atomic.c - records of several processes at one place are never torn
 *
 *   atomic SECONDS
 *
 * Four processes use files of $TMPDIR, a pipe and a socket at once:
 *
 *   appended   records of 1 to 16,384 bytes by O_APPEND, while others read the file
 *   locked     a record of 16 KiB is written, or read, while a record lock is held
 *   piped      records of at most PIPE_BUF bytes into one pipe
 *   datagrams  of a socket
 *
 * A record says its size and its writer, and all its bytes are the same but for its head;
 * one writer's records have numbers that grow.
 *
 * The last line is "N passed, N failed, N skipped": a test is a kind of record.
 */
#include "support.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NR_PROCESSES 4
#define NR_FLYING    8
#define RECORD_MAX   16384
#define FILE_LIMIT   (64 << 20)

enum kind { APPENDED, LOCKED, PIPED, DATAGRAMS, NR_KINDS };

struct head {
	uint32_t magic, size, writer, number;
};

static const char *const names[NR_KINDS] = { "appended", "locked", "piped", "datagrams" };

static struct shared {
	_Atomic bool is_over;
	_Atomic long nr_records[NR_KINDS];
	_Atomic bool is_wrong[NR_KINDS];
	char wrong[NR_KINDS][128];
} * shared;

static char file_path[NR_KINDS][PATH_MAX];
static int stream[NR_KINDS][2];
static unsigned int state;

static unsigned int random_below(unsigned int limit)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % limit;
}

__attribute__((format(printf, 2, 3))) static void note_wrong(enum kind kind, const char *format,
							     ...)
{
	va_list args;

	if (atomic_exchange(&shared->is_wrong[kind], true))
		return;
	va_start(args, format);
	vsnprintf(shared->wrong[kind], sizeof(shared->wrong[kind]), format, args);
	va_end(args);
}

static void make_record(unsigned char *record, size_t size, unsigned int writer,
			unsigned int number)
{
	struct head head = { 0x61746f6d, (uint32_t)size, writer, number };

	memset(record, (int)(writer * 61 + number % 59 + 1), size);
	memcpy(record, &head, sizeof(head));
}

/* The size of the record at @record, of at most @limit bytes; 0: it is torn. */
static size_t check_record(enum kind kind, const unsigned char *record, size_t limit,
			   unsigned int *last)
{
	struct head head;

	memcpy(&head, record, sizeof(head));
	if (limit < sizeof(head) || head.magic != 0x61746f6d || head.size < sizeof(head) ||
	    head.size > limit || head.writer >= NR_PROCESSES) {
		note_wrong(kind, "no record of at most %zu bytes: %#x, %u", limit, head.magic,
			   head.size);
		return 0;
	}
	for (size_t i = sizeof(head); i < head.size; i++)
		if (record[i] != (unsigned char)(head.writer * 61 + head.number % 59 + 1)) {
			note_wrong(kind, "record %u of process %u is torn at %zu of %u",
				   head.number, head.writer, i, head.size);
			return 0;
		}
	if (last && head.number <= last[head.writer]) {
		note_wrong(kind, "record %u of process %u comes after %u", head.number, head.writer,
			   last[head.writer]);
		return 0;
	}
	if (last)
		last[head.writer] = head.number;
	return head.size;
}

/* ---- writers ---- */

/* Some requests in flight at a time; so their order is tested, too. */
static void write_records(enum kind kind, int fd, unsigned int writer, size_t max)
{
	static unsigned char records[NR_FLYING][RECORD_MAX];
	static struct aiocb cbs[NR_FLYING];
	unsigned int number = 0;
	bool is_flying[NR_FLYING] = { false };

	while (!shared->is_over) {
		int slot = (int)(number % NR_FLYING);
		size_t size = sizeof(struct head) +
			      random_below((unsigned int)(max - sizeof(struct head)) + 1);

		if (is_flying[slot])
			check_equal(await_result(&cbs[slot]), cbs[slot].aio_nbytes);
		make_record(records[slot], size, writer, ++number);
		submit_write(&cbs[slot], fd, records[slot], size, 0);
		is_flying[slot] = true;
		shared->nr_records[kind]++;
	}
	for (int i = 0; i < NR_FLYING; i++)
		if (is_flying[i])
			check_equal(await_result(&cbs[i]), cbs[i].aio_nbytes);
}

static void lock(int fd, int type)
{
	struct flock whole = { .l_type = (short)type, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLKW, &whole) < 0)
		check_equal(errno, EINTR);
}

static void use_locks(int fd, unsigned int writer)
{
	static unsigned char record[RECORD_MAX];

	for (unsigned int number = 1; !shared->is_over; number++) {
		if (random_below(3) == 0) {
			lock(fd, F_WRLCK);
			make_record(record, RECORD_MAX, writer, number);
			check_equal(write_now(fd, record, RECORD_MAX, 0), RECORD_MAX);
		} else {
			lock(fd, F_RDLCK);
			check_equal(read_now(fd, record, RECORD_MAX, 0), RECORD_MAX);
			check_record(LOCKED, record, RECORD_MAX, NULL);
		}
		shared->nr_records[LOCKED]++;
		lock(fd, F_UNLCK);
	}
}

/* ---- readers ---- */

/* A file that grows: what a read returns may end amid a record, but not begin there. */
static void check_appended(int fd)
{
	static unsigned char buf[2 * RECORD_MAX];
	unsigned int last[NR_PROCESSES] = { 0 };
	bool was_over = false;
	off_t at = 0;

	while (!shared->is_wrong[APPENDED]) {
		ssize_t size = read_now(fd, buf, sizeof(buf), at);
		struct head head = { 0 };
		size_t done;

		memcpy(&head, buf, sizeof(head));
		if (size < (ssize_t)sizeof(head) || size < (ssize_t)head.size) {
			/* No reader sees half of a record but one beside its write. */
			if (was_over) {
				if (size > 0)
					note_wrong(APPENDED, "%zd bytes are left", size);
				return;
			}
			was_over = shared->is_over && at == lseek(fd, 0, SEEK_END);
			continue;
		}
		done = check_record(APPENDED, buf, (size_t)size, last);
		at += (off_t)done;
		if (at > FILE_LIMIT)
			shared->is_over = true;
	}
}

static void check_stream(enum kind kind, int fd)
{
	static unsigned char buf[RECORD_MAX];
	unsigned int last[NR_PROCESSES] = { 0 };

	for (;;) {
		ssize_t size =
			read_now(fd, buf, kind == PIPED ? sizeof(struct head) : sizeof(buf), 0);
		struct head head;

		if (size == 0)
			return;
		memcpy(&head, buf, sizeof(head));
		while (kind == PIPED && size < (ssize_t)head.size && head.size <= PIPE_BUF)
			size += read_now(fd, buf + size, head.size - (size_t)size, 0);
		if (check_record(kind, buf, (size_t)size, last) != (size_t)size)
			return;
	}
}

/* ---- processes ---- */

static pid_t start(enum kind kind, int writer)
{
	pid_t pid = fork();
	int fd;

	check(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state = (unsigned int)writer + 1;
	if (kind == APPENDED || kind == LOCKED) {
		fd = open(file_path[kind],
			  O_RDWR | O_CLOEXEC | (kind == APPENDED && writer >= 0 ? O_APPEND : 0));
		check(fd >= 0);
	} else {
		fd = stream[kind][writer >= 0];
		for (int other = PIPED; other < NR_KINDS; other++)
			if (other != (int)kind || writer < 0)
				close(stream[other][1]);
	}
	if (writer >= 0 && kind == LOCKED)
		use_locks(fd, (unsigned int)writer);
	else if (writer >= 0)
		write_records(kind, fd, (unsigned int)writer,
			      kind == PIPED ? PIPE_BUF : RECORD_MAX);
	else if (kind == APPENDED)
		check_appended(fd);
	else
		check_stream(kind, fd);
	_exit(0);
}

static void make_file(enum kind kind)
{
	static unsigned char record[RECORD_MAX];
	int fd;

	snprintf(file_path[kind], PATH_MAX, "%s/%s", temp_dir(), names[kind]);
	fd = open(file_path[kind], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	make_record(record, RECORD_MAX, 0, 1);
	check(fd >= 0);
	if (kind == LOCKED)
		check_equal(write(fd, record, RECORD_MAX), RECORD_MAX);
	close(fd);
}

int main(int argc, char **argv)
{
	int seconds = argc == 2 ? atoi(argv[1]) : 0, nr_wrong = 0, status, nr = 0;
	pid_t pids[NR_KINDS * (NR_PROCESSES + 1)];

	if (seconds <= 0) {
		fprintf(stderr, "usage: atomic SECONDS\n");
		return 2;
	}
	choose_default_deadline(60000); /* the kernel may hold back all writers for long */
	make_file(APPENDED);
	make_file(LOCKED);
	open_pipe(stream[PIPED]);
	open_socketpair(stream[DATAGRAMS], SOCK_SEQPACKET);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED);
	for (int kind = 0; kind < NR_KINDS; kind++)
		for (int writer = kind == LOCKED ? 0 : -1; writer < NR_PROCESSES; writer++)
			pids[nr++] = start((enum kind)kind, writer);
	for (int kind = PIPED; kind < NR_KINDS; kind++)
		close(stream[kind][1]);
	for (uint64_t end = now_ns() + (uint64_t)seconds * 1000000000; now_ns() < end;)
		short_pause();
	shared->is_over = true;
	for (int i = 0; i < nr; i++) {
		check_equal(waitpid(pids[i], &status, 0), pids[i]);
		if (status)
			note_wrong(APPENDED, "a process ends with status %#x",
				   (unsigned int)status);
	}
	for (int kind = 0; kind < NR_KINDS; kind++) {
		printf("# %s: %ld records\n", names[kind], shared->nr_records[kind]);
		if (!shared->is_wrong[kind])
			continue;
		nr_wrong++;
		printf("FAIL %s: %s\n", names[kind], shared->wrong[kind]);
	}
	printf("%d passed, %d failed, 0 skipped\n", NR_KINDS - nr_wrong, nr_wrong);
	return nr_wrong > 0;
}
