// SPDX-License-Identifier: MIT
/*
 * image_process.c - the memory of another process; the contract is in image_process.h
 */
#include "tools/image_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/number.h"
#include "tools/fail.h"

static ssize_t file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = -1;

	if (fd >= 0) {
		nr = read(fd, buf, size - 1);
		close(fd);
	}
	buf[nr < 0 ? 0 : nr] = '\0';
	return nr;
}

ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_read(path, buf, size);
}

/* Does not return. */
static void refuse(const struct image *image, int err)
{
	char scope[8] = "";

	if (err == ENOENT || err == ESRCH)
		fail("%s has ended", image->title);
	if (err == EACCES || err == EPERM) {
		if (file_read("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) > 0 &&
		    scope[0] != '0')
			fail("%s must not be read: %s; run this as root (kernel.yama.ptrace_scope "
			     "is %c)",
			     image->title, strerror(err), scope[0]);
		fail("%s must not be read: %s; run this as its user or as root", image->title,
		     strerror(err));
	}
	fail("%s cannot be read: %s", image->title, strerror(err));
}

/* Sandboxes refuse process_vm_readv. */
static bool read_file_of_memory(struct image *image, uint64_t address, void *buf, size_t size)
{
	char path[32];

	if (image->file < 0) {
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)image->pid);
		image->file = open(path, O_RDONLY | O_CLOEXEC);
		if (image->file < 0)
			refuse(image, errno);
	}
	return pread(image->file, buf, size, (off_t)address) == (ssize_t)size;
}

static bool process_read(struct image *image, uint64_t address, void *buf, size_t size)
{
	struct iovec local = { buf, size };
	struct iovec remote = { (void *)(uintptr_t)address, size };

	if (image->file < 0) {
		ssize_t nr = process_vm_readv(image->pid, &local, 1, &remote, 1, 0);

		if (nr >= 0 || errno == EFAULT)
			return nr == (ssize_t)size;
		if (errno == ESRCH)
			refuse(image, errno);
	}
	return read_file_of_memory(image, address, buf, size);
}

static void read_mappings(struct image *image)
{
	char path[32], *line = NULL;
	size_t size = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)image->pid);
	maps = fopen(path, "re");
	if (!maps)
		refuse(image, errno);
	while (getline(&line, &size, maps) > 0) {
		struct mapping mapping;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (number_sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %*s %*u %n",
				  &mapping.start, &mapping.end, &mapping.offset, &at) < 3 ||
		    at == 0)
			continue;
		mapping.path = text_of(line + at);
		image_add_mapping(image, mapping);
	}
	if (ferror(maps))
		refuse(image, errno);
	free(line);
	fclose(maps);
	if (image->nr_mappings == 0)
		fail("%s has no memory: it is of the kernel, or has ended", image->title);
}

long status_field(const char *status, const char *name, long absent)
{
	const char *at = strstr(status, name);
	long value = absent;
	char *end;

	if (!at)
		return absent;
	for (at += strlen(name);; at = end) {
		long next = number_strtol(at, &end, 10);

		if (end == at || memchr(at, '\n', (size_t)(end - at)))
			return value;
		value = next;
	}
}

static char *command_of(pid_t pid, const char *name)
{
	static char buf[4096];
	ssize_t nr = proc_read(pid, "cmdline", buf, sizeof(buf));

	if (nr <= 0)
		return text_of(name);
	for (ssize_t i = 0; i < nr - 1; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	return text_of(buf);
}

/* A thread stands for its process.  -1: there is none. */
static ssize_t read_status(pid_t pid, char *status, size_t size)
{
	ssize_t nr = proc_read(pid, "status", status, size);
	long process = nr > 0 ? status_field(status, "\nTgid:", pid) : pid;

	return process == pid ? nr : proc_read((pid_t)process, "status", status, size);
}

struct image *image_of_process(pid_t pid)
{
	static char status[8192];
	struct image *image = make(1, sizeof(*image));
	const char *state;
	char name[32] = "", title[64];

	if (read_status(pid, status, sizeof(status)) <= 0)
		fail("there is no process %d", (int)pid);
	number_sscanf(status, "Name:\t%31[^\n]", name);
	image->file = -1;
	image->read = process_read;
	image->pid = (pid_t)status_field(status, "\nTgid:", pid);
	image->inner_pid = (pid_t)status_field(status, "\nNSpid:", image->pid);
	image->tracer = (pid_t)status_field(status, "\nTracerPid:", 0);
	state = strstr(status, "\nState:\t");
	image->state = '?';
	if (state)
		image->state = state[8];
	snprintf(title, sizeof(title), "process %d (%s)", (int)image->pid, name);
	image->title = text_of(title);
	image->command = command_of(image->pid, name);
	read_mappings(image);
	return image;
}
