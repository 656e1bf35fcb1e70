// SPDX-License-Identifier: MIT
/*
 * gate.c - memory that is not there until the test says so
 *
 * The contracts are in gate.h.
 */
#include "gate.h"
#include "support.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if __has_include(<linux/userfaultfd.h>)

#include <linux/userfaultfd.h>

bool gate_make(struct gate *gate, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	size = (size + page_size() - 1) & ~(page_size() - 1);
	gate->size = size;
	gate->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (gate->fd < 0) {
		printf("no userfaultfd here: %s", strerror(errno));
		return false;
	}
	check_equal(ioctl(gate->fd, UFFDIO_API, &api), 0);
	gate->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(gate->memory != MAP_FAILED);
	range.range.start = (uintptr_t)gate->memory;
	range.range.len = size;
	check_equal(ioctl(gate->fd, UFFDIO_REGISTER, &range), 0);
	return true;
}

void gate_await(struct gate *gate)
{
	struct uffd_msg message;

	eventually(read(gate->fd, &message, sizeof(message)) == sizeof(message));
	check_equal(message.event, UFFD_EVENT_PAGEFAULT);
}

void gate_open(struct gate *gate, int value)
{
	char *data = malloc(gate->size);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)gate->memory,
		.src = (uintptr_t)data,
		.len = gate->size,
	};

	check(data != NULL);
	memset(data, value, gate->size);
	check_equal(ioctl(gate->fd, UFFDIO_COPY, &copy), 0);
	check_equal(close(gate->fd), 0);
	free(data);
}

#ifdef UFFDIO_WRITEPROTECT

bool gate_forbid_writes(struct gate *gate, void *memory, size_t size)
{
	struct uffdio_range range = { .start = (uintptr_t)memory, .len = size };
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register area = { .range = range, .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect protect = { .range = range,
					       .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	gate->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (gate->fd < 0 || ioctl(gate->fd, UFFDIO_API, &api) < 0) {
		printf("no userfaultfd that holds writes: %s", strerror(errno));
		return false;
	}
	check_equal(ioctl(gate->fd, UFFDIO_REGISTER, &area), 0);
	check_equal(ioctl(gate->fd, UFFDIO_WRITEPROTECT, &protect), 0);
	return true;
}

#else

bool gate_forbid_writes(struct gate *gate, void *memory, size_t size)
{
	(void)gate;
	(void)memory;
	(void)size;
	printf("built without userfaultfd that holds writes");
	return false;
}

#endif

void gate_allow_writes(struct gate *gate)
{
	check_equal(close(gate->fd), 0);
}

#else /* a C library that comes without the kernel's headers */

bool gate_make(struct gate *gate, size_t size)
{
	(void)gate;
	(void)size;
	printf("built without userfaultfd");
	return false;
}

void gate_await(struct gate *gate)
{
	(void)gate;
}

void gate_open(struct gate *gate, int value)
{
	(void)gate;
	(void)value;
}

bool gate_forbid_writes(struct gate *gate, void *memory, size_t size)
{
	(void)memory;
	return gate_make(gate, size);
}

void gate_allow_writes(struct gate *gate)
{
	(void)gate;
}

#endif
