// SPDX-License-Identifier: MIT
/*
 * served.c - files of a server that answers when it is told to
 *
 * The contract is in served.h.  It speaks the protocol of <linux/fuse.h> itself,
 * in a process with one thread, which takes one command at a time as well.
 */
#include "served.h"

#include "fuse.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NR_FILES 128
#define NR_HELD  1024

enum command { COUNT = 'c', RELEASE = 'r', CHANGE = 'n', SPOIL = 's' };

/* ---- the program's side ---- */

static int control = -1, root_dir = -1;

static unsigned int tell(enum command command)
{
	unsigned char byte = (unsigned char)command;
	unsigned int answer;

	check_equal(write(control, &byte, 1), 1);
	check_equal(read(control, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

unsigned int served_nr_held(void)
{
	return tell(COUNT);
}

void served_release(void)
{
	tell(RELEASE);
}

void served_change_inodes(void)
{
	tell(CHANGE);
}

void served_spoil_inodes(void)
{
	tell(SPOIL);
}

int served_open(const char *name, int flags)
{
	int fd = openat(root_dir, name, flags | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

/* ---- the server's ---- */

struct held {
	uint64_t unique, node, offset;
	uint32_t opcode, size;
};

static int device;
static char names[NR_FILES][NAME_MAX + 1];
static struct held held[NR_HELD];
static unsigned int nr_held, nr_looks;
static bool is_released, is_changing, is_spoilt;

static void reply(uint64_t unique, int error, const void *data, size_t size)
{
	fuse_reply(device, unique, error, data, size);
}

static struct fuse_attr attributes_of(uint64_t node)
{
	bool is_root = node == FUSE_ROOT_ID;

	return (struct fuse_attr){
		.ino = node + (is_changing ? 1000 * ++nr_looks : 0),
		.size = SERVED_SIZE,
		.mode = is_root || is_spoilt ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void reply_lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { 0 };
	int i = 0;

	while (i < NR_FILES - 1 && names[i][0] && strcmp(names[i], name) != 0)
		i++;
	snprintf(names[i], sizeof(names[i]), "%s", name);
	out.nodeid = FUSE_ROOT_ID + 1 + (uint64_t)i;
	out.attr = attributes_of(out.nodeid);
	reply(in->unique, 0, &out, sizeof(out));
}

static const char *name_of(uint64_t node)
{
	return node == FUSE_ROOT_ID ? "" : names[node - FUSE_ROOT_ID - 1];
}

static void reply_attributes(uint64_t unique, uint64_t node)
{
	struct fuse_attr_out out = { .attr = attributes_of(node) };

	reply(unique, 0, &out, sizeof(out));
}

static void reply_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { 0 };

	if (!strstr(name_of(in->nodeid), "flushed"))
		out.open_flags |= FOPEN_NOFLUSH;
	if (!strstr(name_of(in->nodeid), "cached"))
		out.open_flags |= FOPEN_DIRECT_IO;
	reply(in->unique, 0, &out, sizeof(out));
}

static void reply_to(const struct held *asked)
{
	struct fuse_write_out out = { .size = asked->size };
	static char data[FUSE_WRITE_MAX];

	if (asked->opcode == FUSE_WRITE) {
		reply(asked->unique, 0, &out, sizeof(out));
	} else if (asked->opcode == FUSE_READ) {
		pattern_fill(data, asked->offset, asked->size);
		reply(asked->unique, 0, data, asked->size);
	} else if (asked->opcode == FUSE_GETATTR) {
		reply_attributes(asked->unique, asked->node);
	} else {
		reply(asked->unique, 0, NULL, 0);
	}
}

static bool is_to_be_held(const struct held *asked)
{
	const char *name = name_of(asked->node);

	if (asked->opcode == FUSE_GETATTR)
		return strstr(name, "secret");
	if (asked->opcode == FUSE_FLUSH && !strstr(name, "flushed"))
		return false;
	if (asked->opcode == FUSE_FSYNC && strstr(name, "synced"))
		return false;
	return strncmp(name, "held", 4) == 0;
}

static void serve_or_hold(const struct fuse_in_header *in, const void *arg)
{
	struct held asked = { .unique = in->unique, .node = in->nodeid, .opcode = in->opcode };
	const struct fuse_write_in *write = arg;
	const struct fuse_read_in *read = arg;

	if (in->opcode == FUSE_READ) {
		asked.offset = read->offset;
		asked.size = strstr(name_of(in->nodeid), "short") ? read->size / 2 : read->size;
	} else if (in->opcode == FUSE_WRITE) {
		asked.offset = write->offset;
		asked.size = write->size;
	}
	if (is_to_be_held(&asked) && !is_released && nr_held < NR_HELD)
		held[nr_held++] = asked;
	else
		reply_to(&asked);
}

static void answer(const struct fuse_in_header *in, const void *arg)
{
	switch (in->opcode) {
	case FUSE_INIT:
		fuse_reply_initial(device, in->unique, NR_HELD, 0);
		break;
	case FUSE_LOOKUP:
		reply_lookup(in, arg);
		break;
	case FUSE_SETATTR:
		reply_attributes(in->unique, in->nodeid);
		break;
	case FUSE_OPEN:
		reply_open(in);
		break;
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_GETATTR:
		serve_or_hold(in, arg);
		break;
	case FUSE_RELEASE:
		reply(in->unique, 0, NULL, 0);
		break;
	default:
		reply(in->unique, ENOSYS, NULL, 0);
	}
}

static void reply_held(void)
{
	for (unsigned int i = 0; i < nr_held; i++)
		reply_to(&held[i]);
	nr_held = 0;
}

static void serve_command(int control_fd)
{
	unsigned char command;
	unsigned int answer;

	if (read(control_fd, &command, 1) != 1)
		_exit(0);
	answer = nr_held;
	is_released |= command == RELEASE;
	is_changing |= command == CHANGE;
	is_spoilt |= command == SPOIL;
	if (is_released)
		reply_held();
	if (write(control_fd, &answer, sizeof(answer)) < 0)
		_exit(1);
}

/* ---- its start ---- */

bool served_may_close(void)
{
	if (has_kernel(5, 16))
		return true;
	printf("close() waits for writes and syncs before Linux 5.16\n");
	return false;
}

bool served_start(void)
{
	control = fuse_start(&device, &root_dir, answer, serve_command);
	return control >= 0;
}
