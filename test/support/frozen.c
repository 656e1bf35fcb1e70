// SPDX-License-Identifier: MIT
/*
 * frozen.c - files on a disk that can be stopped
 *
 * The contract is in frozen.h.  A thread that sleeps on a frozen file system
 * cannot be killed, so another process lets it go on in the end.
 */
#include "frozen.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define IMAGE_SIZE (320 << 20) /* with holes; xfs wants more than 300 */

static int root_dir = -1;

/* -1 and EBUSY if another program has taken the one that was free. */
static int configure_free(int control, const struct loop_config *config, char device[32])
{
	int fd, error;

	snprintf(device, 32, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, config) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int frozen_attach(const char *image, char device[32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd;
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	if (control < 0)
		return -1;
	/*
	 * Two programs that open the same free one wait for each other in the kernel, for ever if
	 * need be.
	 */
	eventually(flock(control, LOCK_EX | LOCK_NB) == 0);
	config.fd = (unsigned int)open(image, O_RDWR | O_CLOEXEC);
	eventually((fd = configure_free(control, &config, device)) >= 0 || errno != EBUSY);
	close(control);
	close((int)config.fd);
	return fd;
}

/*
 * In memory, so that a busy disk does not make the tests slow: an fsync there may take many
 * seconds.
 */
static int make_image(char image[32], const char *type)
{
	char command[128];
	int fd = memfd_create("image", 0);
	bool is_made;

	check(fd >= 0);
	snprintf(image, 32, "/proc/%d/fd/%d", (int)getpid(), fd);
	snprintf(command, sizeof(command), "mkfs.%s -q %s >/dev/null 2>&1", type, image);
	is_made = ftruncate(fd, IMAGE_SIZE) == 0 && system(command) == 0;
	if (!is_made)
		close(fd);
	return is_made ? fd : -1;
}

/* The mount has no name any more when this returns: nothing stays behind. */
static bool mount_loop(const char *device, const char *dir, const char *type, const char *options)
{
	check_equal(mkdir(dir, 0700), 0);
	if (mount(device, dir, type, 0, options) == 0) {
		root_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check_equal(umount2(dir, MNT_DETACH), 0);
	}
	check_equal(rmdir(dir), 0);
	return root_dir >= 0;
}

/* Not of the process group that is killed with the child. */
static void start_guard(void)
{
	int ms = (int)default_deadline_ms() + 5000, ends[2];
	pid_t pid;

	open_pipe(ends);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		struct pollfd polled = { .fd = ends[0] };

		setsid();
		close(ends[1]);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		poll(&polled, 1, ms);
		ioctl(root_dir, FITHAW, 0);
		_exit(0);
	}
	close(ends[0]);
}

bool frozen_start_as(const char *type, const char *options)
{
	char image[32], dir[PATH_MAX], device[32];
	int fd, loop;
	bool is_made;

	snprintf(dir, sizeof(dir), "%s/mount.%d", temp_dir(), (int)getpid());
	fd = geteuid() == 0 ? make_image(image, type) : -1;
	loop = fd >= 0 ? frozen_attach(image, device) : -1;
	is_made = loop >= 0 && mount_loop(device, dir, type, options);
	if (fd >= 0)
		close(fd);
	if (loop >= 0)
		close(loop);
	if (is_made)
		start_guard();
	else
		printf("no %s on a loop device: needs root, mkfs.%s and the module loop", type,
		       type);
	return is_made;
}

bool frozen_start(void)
{
	return frozen_start_as("ext4", NULL);
}

int frozen_file(int extra_flags)
{
	int fd = openat(root_dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | extra_flags, 0600);

	check(fd >= 0);
	return fd;
}

void frozen_stop(void)
{
	check_equal(ioctl(root_dir, FIFREEZE, 0), 0);
}

void frozen_go_on(void)
{
	check_equal(ioctl(root_dir, FITHAW, 0), 0);
}
