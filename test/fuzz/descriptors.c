// SPDX-License-Identifier: MIT
/*
 * descriptors.c - files, pipes and sockets of a program, and plain calls on them
 *
 * Files have no name: what opens one again goes through /proc/self/fd. Each is
 * also kept open by a descriptor of the executor's own, for a look at the end.
 */
#include "descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FEED_MAX 4096 /* PIPE_BUF: all at once or nothing */

struct descriptor *descriptor_of(int id)
{
	return id >= 0 && id < DESCRIPTORS_MAX && history.descriptors[id].exists
		       ? &history.descriptors[id]
		       : NULL;
}

int descriptor_fd(const struct descriptor *descriptor)
{
	return descriptor->closed ? UNUSED_FD : descriptor->fd;
}

static bool is_free(int id)
{
	return id >= 0 && id < DESCRIPTORS_MAX && !history.descriptors[id].exists;
}

static struct object *make_object(const struct step *step)
{
	struct object *object = &history.objects[history.nr_objects++];

	*object = (struct object){ .keeper = -1,
				   .reader = step->reader,
				   .writer = step->writer,
				   .is_nonblocking = step->is_nonblocking };
	return object;
}

static void make_descriptor(int id, int fd, int access, struct object *in, struct object *out)
{
	if (fd < 0) {
		violation("machine", "no descriptor: %s", strerror(errno));
		return;
	}
	history.descriptors[id] = (struct descriptor){
		.exists = true, .fd = fd, .access = access, .in = in, .out = out
	};
}

/* What is readable, what is writable, in which mode. */
static void make_file_descriptor(int id, int fd, int access, struct object *object)
{
	make_descriptor(id, fd, access, access == ACCESS_WRITE ? NULL : object,
			access == ACCESS_READ ? NULL : object);
}

/* Every other descriptor that writes to a page cache syncs: O_DSYNC has an order of its own. */
static int flags_of(int access, bool is_direct, int id)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_APPEND };

	return flags[access] | (is_direct ? O_DIRECT : id % 2 ? O_DSYNC : 0);
}

/* The same file through another descriptor. */
static int open_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static void fill_file(int fd, int64_t size)
{
	unsigned char *content = malloc((size_t)size + 1);

	pattern_put(content, -1, 0, size);
	if (pwrite(fd, content, (size_t)size, 0) != size)
		violation("machine", "cannot fill a file: %s", strerror(errno));
	free(content);
}

/* A file without a name; not every file system makes one by one call. */
static int open_unnamed(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[PATH_MAX];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	snprintf(path, sizeof(path), "%s/fuzz.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static bool is_on_xfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == XFS_SUPER_MAGIC;
}

static void open_file(const struct step *step)
{
	const char *directory = step->kind == KIND_SHM ? "/dev/shm" : getenv("RTAIO_TEST_FUZZ_DIR");
	struct object *object = make_object(step);
	int access = step->access;

	object->size = step->size;
	object->is_direct = step->kind == KIND_DIRECT;
	object->is_appended = access == ACCESS_APPEND;
	object->keeper = open_unnamed(directory ? directory : ".");
	if (object->keeper < 0) {
		violation("machine", "no file in %s: %s", directory, strerror(errno));
		return;
	}
	object->is_xfs = is_on_xfs(object->keeper);
	fill_file(object->keeper, object->size);
	make_file_descriptor(step->descriptor,
			     open_again(object->keeper,
					flags_of(access, object->is_direct, step->descriptor)),
			     access, object);
}

static struct object *file_of(const struct descriptor *descriptor)
{
	if (!descriptor || descriptor->closed || descriptor->is_bad ||
	    descriptor_is_of_stream(descriptor))
		return NULL;
	return descriptor->in ? descriptor->in : descriptor->out;
}

/* A file is either appended to or written at offsets, not both. */
static void open_other(const struct step *step)
{
	struct descriptor *of = descriptor_of(step->of);
	struct object *object = file_of(of);
	int access = step->access;

	if (!object)
		return;
	if (step->verb == VERB_DUP) {
		make_file_descriptor(step->descriptor, dup(of->fd), of->access, object);
		return;
	}
	if (object->is_appended && access != ACCESS_READ)
		access = ACCESS_APPEND;
	else if (!object->is_appended && access == ACCESS_APPEND)
		access = ACCESS_BOTH;
	make_file_descriptor(step->descriptor,
			     open_again(object->keeper,
					flags_of(access, object->is_direct, step->descriptor)),
			     access, object);
}

static void open_pipe(const struct step *step)
{
	struct object *object;
	int fds[2];

	if (!is_free(step->peer) || step->peer == step->descriptor)
		return;
	object = make_object(step);
	object->is_stream = true;
	if (pipe2(fds, O_CLOEXEC | (step->is_nonblocking ? O_NONBLOCK : 0)) < 0)
		fds[0] = fds[1] = -1;
	make_descriptor(step->descriptor, fds[0], ACCESS_READ, object, NULL);
	make_descriptor(step->peer, fds[1], ACCESS_WRITE, NULL, object);
}

static void open_socket(const struct step *step)
{
	struct object *there, *back;
	int fds[2];

	if (!is_free(step->peer) || step->peer == step->descriptor)
		return;
	there = make_object(step);
	back = make_object(step);
	/* The first end reads what step->writer writes; the other way it is turned round. */
	back->reader = step->writer;
	back->writer = step->reader;
	there->is_stream = there->is_socket = back->is_stream = back->is_socket = true;
	if (socketpair(AF_UNIX,
		       SOCK_STREAM | SOCK_CLOEXEC | (step->is_nonblocking ? SOCK_NONBLOCK : 0), 0,
		       fds) < 0)
		fds[0] = fds[1] = -1;
	make_descriptor(step->descriptor, fds[0], ACCESS_BOTH, there, back);
	make_descriptor(step->peer, fds[1], ACCESS_BOTH, back, there);
}

void descriptors_open(const struct step *step)
{
	if (!is_free(step->descriptor) || history.nr_objects + 2 > OBJECTS_MAX)
		return;
	if (step->verb == VERB_FILE)
		open_file(step);
	else if (step->verb == VERB_PIPE)
		open_pipe(step);
	else if (step->verb == VERB_SOCKET)
		open_socket(step);
	else if (step->verb == VERB_BAD)
		history.descriptors[step->descriptor] = (struct descriptor){
			.exists = true, .is_bad = true, .fd = (int)step->size
		};
	else
		open_other(step);
}

static bool has_pending(const struct descriptor *descriptor)
{
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct record *record = &history.records[i];

		if (record->descriptor == descriptor && record_is_accepted(record) &&
		    !record_observe(record))
			return true;
	}
	return false;
}

/*
 * A request that blocks keeps its end of a socket open, closed or not. If there
 * are such on both ends, none of them is ever going to end.
 */
static bool would_block_for_ever(const struct descriptor *descriptor)
{
	if (!descriptor->in || !descriptor->in->is_socket)
		return false;
	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		const struct descriptor *peer = &history.descriptors[i];

		if (peer->exists && peer->out == descriptor->in && peer->closed &&
		    has_pending(peer))
			return true;
	}
	return false;
}

/* Streams have one descriptor for each end: with it goes the end. */
static void mark_closed(struct descriptor *descriptor)
{
	descriptor->closed = history_stamp();
	if (descriptor->in && descriptor->in->is_stream)
		descriptor->in->reader_closed = descriptor->closed;
	if (descriptor->out && descriptor->out->is_stream && !descriptor->out->writer_closed)
		descriptor->out->writer_closed = descriptor->closed;
}

void descriptor_close(struct descriptor *descriptor)
{
	if (descriptor->closed || descriptor->is_bad || would_block_for_ever(descriptor))
		return;
	mark_closed(descriptor);
	if (close(descriptor->fd) < 0)
		violation("machine", "close: %s", strerror(errno));
}

void descriptors_replace(const struct step *step)
{
	struct descriptor *of = descriptor_of(step->of), *peer = descriptor_of(step->peer);
	struct object *object = file_of(of);

	if (!is_free(step->descriptor) || !object || !peer || peer == of || peer->closed ||
	    peer->is_bad || would_block_for_ever(peer))
		return;
	mark_closed(peer);
	if (dup2(of->fd, peer->fd) < 0)
		violation("machine", "dup2: %s", strerror(errno));
	make_file_descriptor(step->descriptor, peer->fd, of->access, object);
}

static struct record *begin_plain(struct object *object, int verb, int64_t length)
{
	int index = atomic_fetch_add(&history.nr_plain, 1);
	struct record *record = &history.records[REQUESTS_MAX + index];

	if (index >= PLAIN_MAX)
		return NULL;
	record->is_plain = true;
	record->verb = verb;
	record->object = object;
	record->length = length;
	if (!memory_give(record, false))
		return NULL;
	record->begin = history_stamp();
	return record;
}

static bool end_plain(struct record *record, ssize_t result)
{
	record->end = history_stamp();
	record->result = result;
	record->error = result < 0 ? errno : 0;
	atomic_store(&record->done, history_stamp());
	atomic_store(&record->state, STATE_SUBMITTED);
	return result > 0;
}

bool stream_feed(struct object *object, int fd, int64_t length)
{
	struct record *record =
		begin_plain(object, VERB_WRITE, length > FEED_MAX ? FEED_MAX : length);
	struct iovec iov;

	if (!record)
		return false;
	iov = (struct iovec){ .iov_base = record->buffer, .iov_len = (size_t)record->length };
	if (object->is_socket)
		return end_plain(record,
				 send(fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL));
	return end_plain(record, pwritev2(fd, &iov, 1, -1, RWF_NOWAIT));
}

bool stream_drain(struct object *object, int fd, int64_t length)
{
	struct record *record = begin_plain(object, VERB_READ, length);
	struct iovec iov;

	if (!record)
		return false;
	iov = (struct iovec){ .iov_base = record->buffer, .iov_len = (size_t)length };
	if (object->is_socket)
		return end_plain(record, recv(fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT));
	return end_plain(record, preadv2(fd, &iov, 1, -1, RWF_NOWAIT));
}

void descriptors_drop_streams(void)
{
	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		struct descriptor *descriptor = &history.descriptors[i];

		if (!descriptor->exists || !descriptor_is_of_stream(descriptor))
			continue;
		if (!descriptor->closed)
			close(descriptor->fd);
		descriptor->exists = false;
	}
}

void descriptors_close_all(void)
{
	for (int i = 0; i < DESCRIPTORS_MAX; i++)
		if (history.descriptors[i].exists)
			descriptor_close(&history.descriptors[i]);
	for (int i = 0; i < history.nr_objects; i++)
		if (history.objects[i].keeper >= 0)
			close(history.objects[i].keeper);
}

uint64_t descriptors_in_use(void)
{
	uint64_t fds = 0;

	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fds |= (uint64_t)1 << fd;
	return fds;
}
