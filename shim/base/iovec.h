/* SPDX-License-Identifier: MIT */
/*
 * iovec.h - how long is a vector of buffers?
 */
#ifndef RTAIO_IOVEC_H
#define RTAIO_IOVEC_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * The bytes of all buffers, or -errno: -EINVAL (more than IOV_MAX entries or SSIZE_MAX bytes),
 * -EFAULT (the vector itself cannot be read).  The buffers are not looked at.  Async-signal-safe.
 */
ssize_t iovec_measure(const struct iovec *vector, size_t nr);

#endif
