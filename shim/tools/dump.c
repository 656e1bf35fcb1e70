// SPDX-License-Identifier: MIT
/*
 * dump.c - rtaio-dump: the requests in flight of a process, where each is, and for how long
 *
 * "rtaio dump" runs this program.  It only reads (image.h): the process goes on meanwhile.
 *
 *   image_*.c               the memory of a process or core file
 *   dump_find.c             the library in it: base/dump_root.h
 *   dump_requests.c         the records that are in use
 *   dump_threads.c          the library's threads
 *   dump_words.c            how all that is called
 *   dump_text.c             the report, for people
 *   dump_json.c             the same for machines
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "tools/dump_show.h"
#include "tools/fail.h"
#include "tools/image_core.h"
#include "tools/image_process.h"

static _Noreturn void refuse_usage(void)
{
	fputs("Usage: rtaio dump [--all] [--json] PID|CORE\n", stderr);
	exit(2);
}

static _Noreturn void show_help(void)
{
	puts("Usage: rtaio dump [--all] [--json] PID|CORE\n"
	     "Show the requests in flight of a process, also from its core file, and the threads "
	     "of rtaio.\n\n"
	     "  --all    each request; otherwise the 50 oldest, and sums of the others\n"
	     "  --json   all of them, for machines\n\n"
	     "The process is only read, and goes on meanwhile. Exit status: 1 if there is nothing "
	     "to show, 2 for bad usage.");
	exit(0);
}

/* Digits alone are a process.  A file of that name can be written with "./". */
static struct image *open_image(const char *name)
{
	char *end;
	long pid;

	if (strspn(name, "0123456789") != strlen(name) || name[0] == '\0')
		return image_of_core(name);
	errno = 0;
	pid = number_strtol(name, &end, 10);
	if (errno || pid > INT_MAX || pid == 0)
		fail("there is no process %s", name);
	return image_of_process((pid_t)pid);
}

static void find_backend(struct report *report)
{
	uint64_t name = 0;

	image_read(report->image, (uintptr_t)report->library->engine.serving, &name, sizeof(name));
	if (name)
		image_read_text(report->image, name, report->serving, sizeof(report->serving));
	if (!report->serving[0])
		snprintf(report->serving, sizeof(report->serving), name ? "unknown" : "no engine");
}

int main(int argc, char **argv)
{
	bool shows_all = false, is_json = false;
	const char *name = NULL;
	struct report report = { 0 };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0)
			shows_all = true;
		else if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (strcmp(argv[i], "--help") == 0)
			show_help();
		else if (argv[i][0] == '-' || name)
			refuse_usage();
		else
			name = argv[i];
	}
	if (!name)
		refuse_usage();
	report.image = open_image(name);
	report.library = dump_find(report.image);
	report.requests = dump_requests(report.image, report.library);
	report.threads = dump_threads(report.image, report.library, report.requests);
	find_backend(&report);
	if (is_json)
		dump_show_json(&report);
	else
		dump_show_text(&report, shows_all);
	if (fflush(stdout) != 0)
		fail("cannot write: %s", strerror(errno));
	return 0;
}
