// SPDX-License-Identifier: MIT
/*
 * make_file.c - a command under `rtaio explain` whose processes made files with known contents
 *
 * Usage: make_file [SCENARIO]...: writes their files to the directory that RTAIO_EXPLAIN names.
 */
#include "explain_files.h"

#include <errno.h>

static const char *directory;
static char odd_name[] = "/tmp/<b>&\"'\\\n\x1b[31m\xff\xc3\xa9.dat";

static void write_requests(struct explain_sample request, unsigned nr, const char *name)
{
	struct explain_file *file = make_file(100);

	make_name(file, 0, 1, "/data/file");
	make_requests(file, request, nr);
	write_file(file, directory, name);
	free(file);
}

static void make_cached(void)
{
	write_requests(make_request(), 1000, "100-0");
}

static void make_cold(void)
{
	struct explain_sample request = make_request();

	request.lane = PROBE_RING;
	request.refusal = REFUSED_miss;
	request.completed_ns += 200000;
	request.collected_ns += 300000;
	write_requests(request, 1000, "100-0");
}

/* One write among ten thousand reads. */
static void make_rare(void)
{
	struct explain_file *file = make_file(100);
	struct explain_sample request = make_request();

	request.weight = 10;
	make_requests(file, request, 1000);
	request.weight = 1;
	request.op = OP_WRITE;
	request.completed_ns += 1000000;
	request.collected_ns += 2000000;
	make_requests(file, request, 1);
	write_file(file, directory, "100-0");
	free(file);
}

/* Twenty sizes, of 1 byte to half a MiB. */
static void make_sizes(void)
{
	struct explain_file *file = make_file(100);
	struct explain_sample request = make_request();

	for (unsigned i = 0; i < 20; i++) {
		request.nbytes = UINT64_C(1) << i;
		request.depth = 1u << i;
		make_requests(file, request, 10);
	}
	write_file(file, directory, "100-0");
	free(file);
}

static void make_glibc(void)
{
	struct explain_sample request = make_request();

	request.lane = 0;
	request.completed_ns = 0;
	write_requests(request, 1000, "100-0");
}

/* What --compare is to see differs between the two runs. */
static void make_compared(void)
{
	const char *backend = getenv("RTAIO_BACKEND");

	if (backend && strcmp(backend, "glibc") == 0)
		make_glibc();
	else
		make_cached();
}

static void make_one(void)
{
	write_requests(make_request(), 1, "100-0");
}

static void make_none(void)
{
	struct explain_file *file = make_file(100);

	write_file(file, directory, "100-0");
	free(file);
}

/* Twelve processes, and one that is no process of ours. */
static void make_several(void)
{
	for (unsigned pid = 200; pid < 212; pid++) {
		struct explain_file *file = make_file(pid);
		char name[16];

		make_name(file, 0, 1, "/data/file");
		make_requests(file, make_request(), 10 * (pid - 199));
		snprintf(name, sizeof(name), "%u-0", pid);
		write_file(file, directory, name);
		free(file);
	}
}

/* As many as reads. */
static void make_syncs(void)
{
	struct explain_file *file = make_file(100);
	struct explain_sample request = make_request();

	make_requests(file, request, 100);
	request.op = OP_FSYNC;
	request.nbytes = 0;
	make_requests(file, request, 100);
	write_file(file, directory, "100-0");
	free(file);
}

static void make_long_commands(void)
{
	for (unsigned pid = 500; pid < 502; pid++) {
		struct explain_file *file = make_file(pid);
		char name[16];

		make_requests(file, make_request(), 10);
		memset(file->command, pid == 500 ? 'x' : ' ', sizeof(file->command));
		memcpy(file->command, "program", strlen("program"));
		snprintf(name, sizeof(name), "%u-0", pid);
		write_file(file, directory, name);
		free(file);
	}
}

static void make_odd_names(void)
{
	struct explain_file *file = make_file(100);

	make_name(file, 0, 1, odd_name);
	make_name(file, 1, 2, "second");
	make_requests(file, make_request(), 10);
	snprintf(file->command, sizeof(file->command), "<i>\x1b\xff");
	write_file(file, directory, "100-0");
	free(file);
}

/* Each of these is left out, with its reason. */
static void make_bad(void)
{
	struct explain_file *file = make_file(300);

	make_requests(file, make_request(), 10);
	write_part(file, 100, directory, "300-short");
	file->magic = 0;
	write_file(file, directory, "300-young");
	file->magic = EXPLAIN_MAGIC;
	file->size++;
	write_file(file, directory, "300-size");
	file->size--;
	file->version[0]++;
	write_file(file, directory, "300-version");
	free(file);
}

/* Killed while it wrote: the second half of its samples is missing. */
static void make_cut(void)
{
	struct explain_file *file = make_file(400);

	make_requests(file, make_request(), 1000);
	file->ended_ns = 0;
	write_part(file, offsetof(struct explain_file, samples[500].depth), directory, "400-0");
	free(file);
}

static const struct {
	const char *name;
	void (*make)(void);
} scenarios[] = {
	{ "cached", make_cached },
	{ "cold", make_cold },
	{ "glibc", make_glibc },
	{ "compared", make_compared },
	{ "one", make_one },
	{ "none", make_none },
	{ "several", make_several },
	{ "odd-names", make_odd_names },
	{ "bad", make_bad },
	{ "cut", make_cut },
	{ "rare", make_rare },
	{ "sizes", make_sizes },
	{ "long-commands", make_long_commands },
	{ "syncs", make_syncs },
};

static bool make(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (strcmp(scenarios[i].name, name) == 0) {
			scenarios[i].make();
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	directory = getenv("RTAIO_EXPLAIN");
	if (!directory) {
		fprintf(stderr, "make_file: RTAIO_EXPLAIN is not set\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (!make(argv[i])) {
			fprintf(stderr, "make_file: no scenario %s\n", argv[i]);
			return 2;
		}
	return 0;
}
