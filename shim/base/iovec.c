// SPDX-License-Identifier: MIT
/*
 * iovec.c - how long is a vector of buffers?
 */
#include "base/iovec.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/raw_syscall.h"

#define PAGE_MIN 4096u /* no kernel has smaller pages */

/*
 * The kernel reads a signal mask there.  Then it refuses the call, since there is no such
 * operation. process_vm_readv would take longer, and some sandboxes refuse it.
 */
static bool is_readable(uintptr_t address)
{
	enum { NO_OPERATION = -1, MASK_BYTES = 8 };

	return address &&
	       RAW_SYSCALL(SYS_rt_sigprocmask, NO_OPERATION, address, NULL, MASK_BYTES) != -EFAULT;
}

/* Each page is asked about once. */
static bool are_readable(const struct iovec *vector, size_t nr)
{
	uintptr_t at = (uintptr_t)vector, end = at + nr * sizeof(*vector);

	do {
		if (!is_readable(at))
			return false;
		at = (at | (PAGE_MIN - 1u)) + 1u;
	} while (at < end);
	return true;
}

ssize_t iovec_measure(const struct iovec *vector, size_t nr)
{
	size_t nbytes = 0;

	if (nr > IOV_MAX)
		return -EINVAL;
	if (nr > 0 && !are_readable(vector, nr))
		return -EFAULT;
	for (size_t i = 0; i < nr; i++)
		if (__builtin_add_overflow(nbytes, vector[i].iov_len, &nbytes) ||
		    nbytes > SSIZE_MAX)
			return -EINVAL;
	return (ssize_t)nbytes;
}
