// SPDX-License-Identifier: MIT
/*
 * fuse.c - the contract is in fuse.h
 */
#include "fuse.h"

#include "support.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

bool fuse_mount(int device, const char *dir)
{
	char options[128];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", device,
		 geteuid(), getegid());
	return mount("rtaio-test", dir, "fuse", MS_NOSUID | MS_NODEV, options) == 0;
}

int fuse_mount_unnamed(int device)
{
	char dir[PATH_MAX];
	int root = -1;

	snprintf(dir, sizeof(dir), "%s/served.%d", temp_dir(), (int)getpid());
	check_equal(mkdir(dir, 0700), 0);
	if (fuse_mount(device, dir)) {
		root = open(dir, O_DIRECTORY | O_PATH | O_CLOEXEC);
		check_equal(umount2(dir, MNT_DETACH), 0);
	}
	check_equal(rmdir(dir), 0);
	return root;
}

void fuse_reply(int device, uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.error = -error,
		.unique = unique,
	};
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)data, .iov_len = size },
	};

	/* The process that asked may be gone, which is no error here. */
	if (writev(device, parts, size ? 2 : 1) < 0)
		return;
}

void fuse_reply_initial(int device, uint64_t unique, unsigned int nr_waiting, uint32_t flags)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.flags = flags,
		.max_background = (uint16_t)nr_waiting,
		.congestion_threshold = (uint16_t)nr_waiting,
		.max_write = FUSE_WRITE_MAX,
		.max_pages = FUSE_WRITE_MAX / 4096,
		.time_gran = 1,
	};

	fuse_reply(device, unique, 0, &out, sizeof(out));
}

static void answer_next(int device,
			void (*answer)(const struct fuse_in_header *in, const void *arg))
{
	static union {
		struct fuse_in_header header;
		char bytes[FUSE_WRITE_MAX + 4096];
	} request;
	uint32_t opcode;

	if (read(device, &request, sizeof(request)) < 0)
		return;
	opcode = request.header.opcode;
	if (opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT)
		answer(&request.header, &request.header + 1);
}

_Noreturn void fuse_serve(int device, int control,
			  void (*answer)(const struct fuse_in_header *in, const void *arg),
			  void (*obey)(int control))
{
	struct pollfd polled[2] = {
		{ .fd = device, .events = POLLIN },
		{ .fd = control, .events = POLLIN },
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents & (POLLERR | POLLHUP))
			_exit(0);
		if (polled[0].revents)
			answer_next(device, answer);
		if (polled[1].revents)
			obey(control);
	}
	_exit(1);
}

int fuse_start(int *device, int *root,
	       void (*answer)(const struct fuse_in_header *in, const void *arg),
	       void (*obey)(int control))
{
	int ends[2];
	pid_t pid;

	*device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	*root = *device < 0 ? -1 : fuse_mount_unnamed(*device);
	if (*root < 0) {
		printf("no file system in user space can be mounted: needs root and /dev/fuse");
		return -1;
	}
	open_socketpair(ends, SOCK_STREAM);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		close(ends[1]);
		close(*root);
		fuse_serve(*device, ends[0], answer, obey);
	}
	close(ends[0]);
	close(*device);
	return ends[1];
}
