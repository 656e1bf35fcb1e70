// SPDX-License-Identifier: MIT
/*
 * mpi_file.c - nonblocking file access through MPI
 *
 * Behind MPI_File_iwrite_at and MPI_File_iread_at, MPICH's ROMIO uses
 * aio_write, aio_read and aio_suspend, and Open MPI's OMPIO the same calls with
 * polling.  Writes a pattern with many requests in flight, to be waited for in
 * bunches, reads it back in another order, and prints one word.  Runs alone or
 * under mpirun: each process has a part of the file.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK     16384
#define NR_BLOCKS 256
#define IN_FLIGHT 32

static unsigned char written[NR_BLOCKS][BLOCK], found[NR_BLOCKS][BLOCK];

static void check(int result, const char *what)
{
	char text[MPI_MAX_ERROR_STRING];
	int len;

	if (result == MPI_SUCCESS)
		return;
	MPI_Error_string(result, text, &len);
	fprintf(stderr, "mpi_file: %s: %s\n", what, text);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void fill(int rank)
{
	unsigned seed = 12345u + (unsigned)rank;

	for (size_t i = 0; i < sizeof(written); i++) {
		seed = seed * 1103515245u + 12345u;
		((unsigned char *)written)[i] = (unsigned char)(seed >> 16);
	}
}

/* Each of the requests must have moved one whole block. */
static void wait_for(MPI_Request *requests, const char *what)
{
	MPI_Status status[IN_FLIGHT];
	int nr;

	check(MPI_Waitall(IN_FLIGHT, requests, status), what);
	for (int i = 0; i < IN_FLIGHT; i++) {
		check(MPI_Get_count(&status[i], MPI_BYTE, &nr), "MPI_Get_count");
		if (nr != BLOCK) {
			fprintf(stderr, "mpi_file: %s: %d of %d bytes\n", what, nr, BLOCK);
			MPI_Abort(MPI_COMM_WORLD, 1);
		}
	}
}

static void write_blocks(MPI_File file, MPI_Offset part)
{
	MPI_Request requests[IN_FLIGHT];

	for (int base = 0; base < NR_BLOCKS; base += IN_FLIGHT) {
		for (int i = 0; i < IN_FLIGHT; i++)
			check(MPI_File_iwrite_at(file, part + (MPI_Offset)(base + i) * BLOCK,
						 written[base + i], BLOCK, MPI_BYTE, &requests[i]),
			      "MPI_File_iwrite_at");
		wait_for(requests, "write");
	}
}

/* From the end of the file to its beginning. */
static void read_blocks(MPI_File file, MPI_Offset part)
{
	MPI_Request requests[IN_FLIGHT];

	for (int base = NR_BLOCKS - IN_FLIGHT; base >= 0; base -= IN_FLIGHT) {
		for (int i = 0; i < IN_FLIGHT; i++)
			check(MPI_File_iread_at(file, part + (MPI_Offset)(base + i) * BLOCK,
						found[base + i], BLOCK, MPI_BYTE, &requests[i]),
			      "MPI_File_iread_at");
		wait_for(requests, "read");
	}
}

int main(int argc, char **argv)
{
	MPI_Offset part;
	MPI_File file;
	int rank;

	MPI_Init(&argc, &argv);
	if (argc != 2) {
		fprintf(stderr, "Usage: mpi_file FILE\n");
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	fill(rank);
	part = (MPI_Offset)rank * (MPI_Offset)sizeof(written);
	check(MPI_File_open(MPI_COMM_WORLD, argv[1], MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
			    &file),
	      "MPI_File_open");
	write_blocks(file, part);
	check(MPI_File_sync(file), "MPI_File_sync");
	read_blocks(file, part);
	check(MPI_File_close(&file), "MPI_File_close");
	if (memcmp(written, found, sizeof(written)) != 0) {
		fprintf(stderr, "mpi_file: what was read is not what was written\n");
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	if (rank == 0)
		puts("identical");
	MPI_Finalize();
	return 0;
}
