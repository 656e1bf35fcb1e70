// SPDX-License-Identifier: MIT
/*
 * disk.c - the contract is in disk.h
 *
 * One process with one thread is the server.  The disk is two private mappings of the
 * image: what it shows, and what is on it for good.
 */
#include "disk.h"

#include "frozen.h"
#include "fuse.h"
#include "sockets.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECTOR     512
#define NR_WAITING 256

enum command { CUT = 'c', POWER_ON = 'p' };

struct disk {
	pid_t server;
	int control;
	char dir[PATH_MAX]; /* where the disk is a file */
	int nr_starts;
};

/* ---- the server ---- */

static int device;
static size_t size;
static unsigned char *shown, *durable;
static unsigned char *is_unflushed; /* sector by sector */
static bool is_off;
static bool is_lying; /* it answers to a flush and does not make one */

/*
 * Any number is a name of the disk, each of a file of its own: the kernel keeps pages of the old
 * ones.
 */
static struct fuse_attr attributes_of(uint64_t node)
{
	bool is_root = node == FUSE_ROOT_ID;

	return (struct fuse_attr){
		.ino = node,
		.size = is_root ? 0 : size,
		.blocks = is_root ? 0 : size / SECTOR,
		.mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t length)
{
	fuse_reply(device, in->unique, error, data, error ? 0 : length);
}

static void reply_lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { .nodeid = FUSE_ROOT_ID + 1 + strtoul(name, NULL, 10) };

	out.attr = attributes_of(out.nodeid);
	reply(in, 0, &out, sizeof(out));
}

static void serve_read(const struct fuse_in_header *in, const struct fuse_read_in *read)
{
	size_t at = read->offset < size ? read->offset : size;
	size_t length = read->size < size - at ? read->size : size - at;

	reply(in, is_off ? EIO : 0, shown + at, length);
}

static void serve_write(const struct fuse_in_header *in, const struct fuse_write_in *write)
{
	struct fuse_write_out out = { .size = write->size };
	bool is_good = !is_off && write->offset + write->size <= size &&
		       write->offset % SECTOR == 0 && write->size % SECTOR == 0;

	if (is_good) {
		memcpy(shown + write->offset, write + 1, write->size);
		memset(is_unflushed + write->offset / SECTOR, 1, write->size / SECTOR);
	}
	reply(in, is_good ? 0 : EIO, &out, sizeof(out));
}

static void keep_sector(size_t sector)
{
	memcpy(durable + sector * SECTOR, shown + sector * SECTOR, SECTOR);
	is_unflushed[sector] = 0;
}

static void serve_flush(const struct fuse_in_header *in)
{
	const unsigned char *next = is_unflushed;

	while (!is_off && !is_lying &&
	       (next = memchr(next, 1, size / SECTOR - (size_t)(next - is_unflushed))))
		keep_sector((size_t)(next - is_unflushed));
	reply(in, is_off ? EIO : 0, NULL, 0);
}

static void answer(const struct fuse_in_header *in, const void *arg)
{
	struct fuse_attr_out attributes = { .attr = attributes_of(in->nodeid) };
	struct fuse_open_out opened = { .open_flags = FOPEN_NOFLUSH };

	switch (in->opcode) {
	case FUSE_INIT:
		fuse_reply_initial(device, in->unique, NR_WAITING, 0);
		break;
	case FUSE_LOOKUP:
		reply_lookup(in, arg);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		reply(in, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
		reply(in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		serve_read(in, arg);
		break;
	case FUSE_WRITE:
		serve_write(in, arg);
		break;
	case FUSE_FSYNC:
		serve_flush(in);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		reply(in, 0, NULL, 0);
		break;
	default:
		reply(in, ENOSYS, NULL, 0);
	}
}

static unsigned int count_unflushed(void)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < size / SECTOR; i++)
		nr += is_unflushed[i];
	return nr;
}

/* The cache had written back what it liked to. */
static void power_on(unsigned int seed)
{
	srand(seed);
	for (size_t i = 0; i < size / SECTOR; i++)
		if (is_unflushed[i] && rand() % 2)
			keep_sector(i);
	for (size_t i = 0; i < size / SECTOR; i++)
		if (is_unflushed[i])
			memcpy(shown + i * SECTOR, durable + i * SECTOR, SECTOR);
	memset(is_unflushed, 0, size / SECTOR);
	is_off = false;
}

static void serve_command(int control)
{
	unsigned int command[2], answer = count_unflushed();

	if (read(control, command, sizeof(command)) != sizeof(command))
		_exit(0);
	if (command[0] == CUT)
		is_off = true;
	else
		power_on(command[1]);
	if (write(control, &answer, sizeof(answer)) < 0)
		_exit(1);
}

/* ---- its program ---- */

static unsigned int tell(struct disk *disk, enum command command, unsigned int value)
{
	unsigned int message[2] = { command, value }, answer = 0;

	check_equal(write(disk->control, message, sizeof(message)), sizeof(message));
	check_equal(read(disk->control, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

unsigned int disk_cut(struct disk *disk)
{
	return tell(disk, CUT, 0);
}

void disk_power_on(struct disk *disk, unsigned int seed)
{
	tell(disk, POWER_ON, seed);
}

static bool map_image(const char *image)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		printf("%s: %s\n", image, strerror(errno));
		return false;
	}
	size = (size_t)st.st_size;
	shown = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	durable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	is_unflushed = calloc(size / SECTOR, 1);
	close(fd);
	return shown != MAP_FAILED && durable != MAP_FAILED && is_unflushed;
}

static void unmap_image(void)
{
	munmap(shown, size);
	munmap(durable, size);
	free(is_unflushed);
}

struct disk *disk_start(const char *image)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	int ends[2];

	is_lying = getenv("KILLED_DISK_LIES") != NULL;
	check(disk != NULL);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(disk->dir, sizeof(disk->dir), "%s/disk.XXXXXX", temp_dir());
	if (device < 0 || !map_image(image) || !mkdtemp(disk->dir) ||
	    !fuse_mount(device, disk->dir)) {
		printf("no file system in user space can be mounted: needs root and /dev/fuse\n");
		free(disk);
		return NULL;
	}
	open_socketpair(ends, SOCK_STREAM);
	disk->server = fork();
	check(disk->server >= 0);
	if (disk->server == 0) {
		close(ends[1]);
		fuse_serve(device, ends[0], answer, serve_command);
	}
	unmap_image();
	close(ends[0]);
	close(device);
	disk->control = ends[1];
	return disk;
}

bool disk_mount(struct disk *disk, const char *dir, const char *type, const char *options)
{
	char path[PATH_MAX + 16], loop[32];
	bool is_mounted;
	int fd;

	snprintf(path, sizeof(path), "%s/%d", disk->dir, disk->nr_starts++);
	fd = frozen_attach(path, loop);
	if (fd < 0) {
		printf("no loop device: %s\n", strerror(errno));
		return false;
	}
	is_mounted = mount(loop, dir, type, 0, options) == 0;
	if (!is_mounted)
		printf("%s cannot be mounted: %s\n", type, strerror(errno));
	close(fd);
	return is_mounted;
}

/* What is in flight ends first. */
void disk_umount(const char *dir)
{
	eventually(umount(dir) == 0 || errno != EBUSY);
}

void disk_stop(struct disk *disk)
{
	close(disk->control);
	umount2(disk->dir, MNT_DETACH);
	check_equal(waitpid(disk->server, NULL, 0), disk->server);
	rmdir(disk->dir);
	free(disk);
}
