/* SPDX-License-Identifier: MIT */
/*
 * disk.h - a disk whose power can be cut
 *
 * A server of a file system in user space holds the contents of the disk in memory; a
 * loop device makes a block device of it.  The server has a write cache: what is written
 * is on the disk for good only after a flush.  Once the power is cut every request fails
 * with EIO, as that of a disk that is pulled out.  When it is back, each sector that was
 * written and not flushed has its new or its old contents, by chance.  With KILLED_DISK_LIES
 * in the environment a flush does nothing.
 */
#ifndef RTAIO_TEST_DISK_H
#define RTAIO_TEST_DISK_H

#include "support.h"

struct disk;

/*
 * A disk with the contents of the file @image, which is not changed.  Returns NULL where
 * the machine cannot have it; the reason is printed.
 */
struct disk *disk_start(const char *image);

/* Mount it at the directory @dir, as a file system of this type. */
bool disk_mount(struct disk *disk, const char *dir, const char *type, const char *options);
void disk_umount(const char *dir);

/* Cut the power; return how many sectors were written and not flushed. */
unsigned int disk_cut(struct disk *disk);

/* Once the file system is unmounted: the power is back. */
void disk_power_on(struct disk *disk, unsigned int seed);

void disk_stop(struct disk *disk);

#endif
