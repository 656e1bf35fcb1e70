// SPDX-License-Identifier: MIT
/*
 * dump_json.c - the report for machines; the contract is in dump_show.h
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "tools/dump_show.h"
#include "tools/names.h"

static void print_member(const char *before, const char *name, const char *text)
{
	printf("%s\"%s\": ", before, name);
	print_json(stdout, text);
}

/* Of a request; the others have none of that. */
static void print_transfer(const struct report *report, const struct dumped *dumped)
{
	char place[128], file[PATH_MAX];

	words_place_and_thread(dumped, place, sizeof(place));
	words_file(report, dumped, file, sizeof(file));
	print_member(", ", "lane", words_lane(dumped));
	print_member(", ", "where", place);
	if (dumped->thread)
		printf(", \"thread\": %u", dumped->thread);
	printf(", \"fd\": %d, \"closed\": %s", dumped->fd, dumped->is_closed ? "true" : "false");
	if (file[0])
		print_member(", ", "file", file);
	if (words_has_offset(dumped))
		printf(", \"offset\": %" PRId64, (int64_t)(dumped->offset - dumped->done));
	if (words_has_size(dumped))
		printf(", \"size\": %" PRIu64 ", \"done\": %" PRIu64, dumped->nbytes + dumped->done,
		       dumped->done);
	if (dumped->cb)
		printf(", \"aiocb\": \"0x%" PRIx64 "\"", dumped->cb);
}

static void print_request(const struct report *report, const struct dumped *dumped)
{
	uint64_t now = report->requests->now, at = dumped->submitted_at;

	printf("{\"age_ms\": %" PRIu64, now > at ? (now - at) / 1000000u : 0);
	print_member(", ", "request", words_what(dumped));
	if (dumped->what == DUMP_TRANSFER || dumped->what == DUMP_NOTIFICATION) {
		printf(", \"complete\": %s", dumped->what == DUMP_NOTIFICATION ? "true" : "false");
		print_transfer(report, dumped);
	} else if (dumped->what == DUMP_LIST) {
		printf(", \"left\": %u", dumped->members);
	} else {
		printf(", \"fd\": %d", dumped->fd);
	}
	putchar('}');
}

static void print_thread(const struct dumped_thread *thread)
{
	printf("{\"thread\": %d", (int)thread->tid);
	print_member(", ", "name", thread->name);
	if (thread->state) {
		print_member(", ", "state", dump_state(thread->state));
		printf(", \"cpu_ms\": %" PRIu64, thread->cpu_ms);
	}
	if (thread->waits_for[0])
		print_member(", ", "waits", thread->waits_for);
	if (thread->place[0])
		print_member(", ", "wchan", thread->place);
	if (thread->at)
		printf(", \"fd\": %d", thread->at->fd);
	putchar('}');
}

void dump_show_json(const struct report *report)
{
	const struct requests *requests = report->requests;
	const struct threads *threads = report->threads;
	char hint[PATH_MAX + 256];

	words_hint(report, hint, sizeof(hint));
	printf("{\"process\": %d, \"core\": %s", (int)report->image->pid,
	       report->image->is_core ? "true" : "false");
	print_member(", ", "command", report->image->command);
	print_member(", ", "version", report->library->root.version);
	print_member(", ", "library", report->library->path);
	print_member(", ", "asked", words_asked(report->library));
	print_member(", ", "serving", report->serving);
	printf(",\n\"in_flight\": %zu, \"complete_list\": %s,\n\"requests\": [",
	       requests->nr_of[DUMP_TRANSFER], requests->is_cut ? "false" : "true");
	for (size_t i = 0; i < requests->nr; i++) {
		printf("%s\n", i ? "," : "");
		print_request(report, &requests->list[i]);
	}
	printf("],\n\"threads\": [");
	for (size_t i = 0; i < threads->nr; i++) {
		printf("%s\n", i ? "," : "");
		print_thread(&threads->list[i]);
	}
	printf("],\n\"other_threads\": %zu", threads->nr_others);
	print_member(",\n", "hint", hint);
	puts("}");
}
