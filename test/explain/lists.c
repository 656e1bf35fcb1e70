// SPDX-License-Identifier: MIT
/*
 * lists.c - lists whose entries are not all reads and writes
 *
 * Usage: lists FILE: 100 lists of a read, an entry that is left out, and one with an unknown
 * opcode.
 */
#include <aio.h>
#include <fcntl.h>
#include <stddef.h>

int main(int argc, char **argv)
{
	static char buf[512];
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	for (int i = 0; i < 100 && fd >= 0; i++) {
		struct aiocb cbs[3] = {
			{ .aio_fildes = fd, .aio_buf = buf, .aio_nbytes = sizeof(buf) },
			{ .aio_lio_opcode = LIO_NOP },
			{ .aio_fildes = fd, .aio_lio_opcode = 77 },
		};
		struct aiocb *const list[] = { &cbs[0], &cbs[1], NULL, &cbs[2] };

		lio_listio(LIO_WAIT, list, 4, NULL);
		aio_return(&cbs[0]);
		aio_return(&cbs[2]);
	}
	return fd < 0;
}
