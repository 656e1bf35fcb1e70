// SPDX-License-Identifier: MIT
/*
 * files.c - temporary files, pipes and sockets of the tests
 */
#include "support.h"

#include <dirent.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static pid_t creator;

static char temp_dir_path[PATH_MAX];
static char direct_dir_path[PATH_MAX];

static void remove_dir(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

static void remove_dirs(void)
{
	if (getpid() != creator)
		return;
	if (temp_dir_path[0])
		remove_dir(temp_dir_path);
	if (direct_dir_path[0])
		remove_dir(direct_dir_path);
}

static const char *make_dir(char path[PATH_MAX], const char *parent)
{
	if (path[0])
		return path;
	if (!parent) {
		parent = "build/tmp";
		mkdir("build", 0777);
		mkdir(parent, 0777);
	}
	snprintf(path, PATH_MAX, "%s/rtaio-test.XXXXXX", parent);
	if (!mkdtemp(path)) {
		path[0] = '\0';
		check_failed("cannot make a directory in %s", parent);
	}
	if (!creator && !support_is_child) {
		creator = getpid();
		atexit(remove_dirs);
	}
	return path;
}

const char *temp_dir(void)
{
	const char *parent = getenv("TMPDIR");

	return make_dir(temp_dir_path, parent && *parent ? parent : NULL);
}

const char *direct_dir(void)
{
	return make_dir(direct_dir_path, NULL);
}

const char *temp_path(const char *name)
{
	static char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", temp_dir(), name);
	return path;
}

static int open_unlinked(const char *dir, int flags)
{
	static atomic_uint serial;
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/file.%d.%u", dir, (int)getpid(),
		 atomic_fetch_add(&serial, 1));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int temp_file(int extra_flags)
{
	int fd = open_unlinked(temp_dir(), extra_flags);

	check(fd >= 0);
	return fd;
}

unsigned char pattern_at(size_t position)
{
	/* No short period: a block at a wrong offset is noticed. */
	return (unsigned char)(position ^ (position >> 8) * 7 ^ (position >> 16) * 13);
}

void pattern_fill(void *buf, size_t position, size_t size)
{
	unsigned char *bytes = buf;

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_at(position + i);
}

bool pattern_matches(const void *buf, size_t position, size_t size)
{
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != pattern_at(position + i))
			return false;
	return true;
}

static void fill_file(int fd, size_t size)
{
	unsigned char *buf;

	if (!size)
		return;
	check(posix_memalign((void **)&buf, 4096, size) == 0);
	pattern_fill(buf, 0, size);
	check_equal(pwrite(fd, buf, size, 0), size);
	free(buf);
}

int temp_file_filled(size_t size)
{
	int fd = temp_file(0);

	fill_file(fd, size);
	return fd;
}

off_t file_size(int fd)
{
	struct stat info;

	check_equal(fstat(fd, &info), 0);
	return info.st_size;
}

int memory_file(void)
{
	int fd = memfd_create("memory_file", MFD_CLOEXEC);

	check(fd >= 0);
	return fd;
}

int direct_file(size_t size, int extra_flags)
{
	int fd = open_unlinked(direct_dir(), O_DIRECT | extra_flags);

	if (fd < 0 && errno == EINVAL)
		return -1;
	check(fd >= 0);
	fill_file(fd, size);
	return fd;
}

int direct_file_or_skip(size_t size, int extra_flags)
{
	int fd = direct_file(size, extra_flags);

	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
	return fd;
}

int temp_file_with_holes_or_skip(void)
{
	int fd = temp_file(0);
	struct statfs fs;

	/* It encrypts each block, for hours where the processor is emulated. */
	if (fstatfs(fd, &fs) == 0 && fs.f_type == ECRYPTFS_SUPER_MAGIC)
		skip_because("ecryptfs writes the hole before a far offset");
	return fd;
}

/* ---- pipes and sockets ---- */

void open_pipe(int fds[2])
{
	check(pipe2(fds, O_CLOEXEC) == 0);
	/* It is as large as with pages of 4 KiB, so that tests know when it is full. */
	if (page_size() != 4096)
		check(fcntl(fds[1], F_SETPIPE_SZ, 65536) == 65536);
}

void open_socketpair(int fds[2], int type)
{
	check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
}

void close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

size_t fill_up(int fd)
{
	static const char block[65536];
	int flags = fcntl(fd, F_GETFL);
	size_t unit = sizeof(block), total = 0;

	check(flags >= 0);
	check(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	while (unit) {
		ssize_t res = write(fd, block, unit);

		if (res > 0)
			total += (size_t)res;
		else if (errno == EAGAIN)
			unit /= 2;
		else
			check_failed("cannot fill descriptor %d", fd);
	}
	check(fcntl(fd, F_SETFL, flags) == 0);
	return total;
}

void read_fully(int fd, void *buf, size_t size)
{
	char scratch[4096];
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;
	int flags = fcntl(fd, F_GETFL);
	size_t done = 0;

	check(flags >= 0);
	check(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	while (done < size) {
		size_t left = size - done;
		ssize_t res;

		if (!buf && left > sizeof(scratch))
			left = sizeof(scratch);
		res = read(fd, buf ? (char *)buf + done : scratch, left);
		if (res > 0)
			done += (size_t)res;
		else if (res == 0)
			check_failed("end of file after %zu of %zu bytes", done, size);
		else if (errno != EAGAIN && errno != EINTR)
			check_failed("read failed");
		else if (now_ns() > until)
			check_failed("only %zu of %zu bytes came", done, size);
		else
			short_pause();
	}
	check(fcntl(fd, F_SETFL, flags) == 0);
}

void write_fully(int fd, const void *buf, size_t size)
{
	check_equal(write(fd, buf, size), size);
}
