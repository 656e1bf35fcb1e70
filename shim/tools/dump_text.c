// SPDX-License-Identifier: MIT
/*
 * dump_text.c - the report for people; the contract is in dump_show.h
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dump_show.h"
#include "tools/fail.h"
#include "tools/names.h"

#define ROWS_SHOWN 50
#define SUMS_SHOWN 20
#define COLUMNS    8

/* ---- tables ---- */

struct table {
	const char *const *titles;
	unsigned right; /* bits: columns of numbers */
	size_t nr_columns, nr_rows;
	char *(*rows)[COLUMNS];
};

static char *clean(const char *from)
{
	char *text = text_of(from);

	make_plain(text);
	return text;
}

static void add_row(struct table *table, const char *const cells[])
{
	size_t nr = table->nr_rows;

	if ((nr & (nr - 1)) == 0)
		table->rows = grow(table->rows, (nr ? 2 * nr : 1) * sizeof(*table->rows));
	for (size_t i = 0; i < table->nr_columns; i++)
		table->rows[nr][i] = clean(cells[i]);
	table->nr_rows++;
}

static int width_of(const struct table *table, size_t column)
{
	size_t width = strlen(table->titles[column]);

	for (size_t i = 0; i < table->nr_rows; i++)
		if (strlen(table->rows[i][column]) > width)
			width = strlen(table->rows[i][column]);
	return (int)width;
}

static void print_row(const struct table *table, const char *const cells[], const int widths[])
{
	size_t last = table->nr_columns - 1;

	for (size_t i = 0; i < last; i++)
		printf("%*s  ", table->right & 1u << i ? widths[i] : -widths[i], cells[i]);
	printf("%s\n", cells[last]);
}

static void print_table(const struct table *table)
{
	int widths[COLUMNS] = { 0 };

	if (table->nr_rows == 0)
		return;
	for (size_t i = 0; i < table->nr_columns; i++)
		widths[i] = width_of(table, i);
	putchar('\n');
	print_row(table, table->titles, widths);
	for (size_t i = 0; i < table->nr_rows; i++)
		print_row(table, (const char *const *)table->rows[i], widths);
}

/* ---- cells ---- */

static void write_age(uint64_t ns, char buf[32])
{
	uint64_t s = ns / 1000000000u;

	if (s < 10)
		snprintf(buf, 32, "%" PRIu64 " ms", ns / 1000000u);
	else if (s < 600)
		snprintf(buf, 32, "%" PRIu64 " s", s);
	else if (s < 36000)
		snprintf(buf, 32, "%" PRIu64 " min", s / 60);
	else
		snprintf(buf, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
}

static void write_age_of(const struct report *report, const struct dumped *dumped, char buf[32])
{
	uint64_t now = report->requests->now;

	write_age(now > dumped->submitted_at ? now - dumped->submitted_at : 0, buf);
}

static void write_file(const struct report *report, const struct dumped *dumped, char *buf,
		       size_t size)
{
	words_file(report, dumped, buf, size);
	if (dumped->is_closed)
		snprintf(buf, size, "(the descriptor was closed since)");
	else if (!buf[0])
		snprintf(buf, size, "?");
}

static void add_request(struct table *table, const struct report *report,
			const struct dumped *dumped)
{
	char age[32], fd[16], offset[32] = "-", nbytes[32] = "-", place[128], file[PATH_MAX];

	write_age_of(report, dumped, age);
	snprintf(fd, sizeof(fd), "%d", dumped->fd);
	if (words_has_offset(dumped))
		snprintf(offset, sizeof(offset), "%" PRId64,
			 (int64_t)(dumped->offset - dumped->done));
	if (words_has_size(dumped))
		snprintf(nbytes, sizeof(nbytes), "%" PRIu64, dumped->nbytes + dumped->done);
	words_place_and_thread(dumped, place, sizeof(place));
	write_file(report, dumped, file, sizeof(file));
	add_row(table, (const char *const[]){ age, words_lane(dumped), words_what(dumped), fd,
					      offset, nbytes, place, file });
}

/* ---- the rest, in sums ---- */

struct sum {
	size_t nr;
	const struct dumped *of; /* one of them */
};

static int by_kind(const void *a, const void *b)
{
	const struct dumped *one = ((const struct sum *)a)->of;
	const struct dumped *other = ((const struct sum *)b)->of;
	int order = strcmp(words_lane(one), words_lane(other));

	if (order == 0)
		order = strcmp(words_place(one), words_place(other));
	if (order == 0)
		order = (one->fd > other->fd) - (one->fd < other->fd);
	return order ? order : strcmp(words_what(one), words_what(other));
}

static int by_number(const void *a, const void *b)
{
	const struct sum *one = a, *other = b;

	return (one->nr < other->nr) - (one->nr > other->nr);
}

/* Add up those of one kind, the largest sum first.  Returns how many sums there are. */
static size_t add_up(struct sum *sums, size_t nr)
{
	size_t nr_sums = 0;

	qsort(sums, nr, sizeof(*sums), by_kind);
	for (size_t i = 0; i < nr; i++) {
		if (nr_sums > 0 && by_kind(&sums[nr_sums - 1], &sums[i]) == 0)
			sums[nr_sums - 1].nr += sums[i].nr;
		else
			sums[nr_sums++] = sums[i];
	}
	qsort(sums, nr_sums, sizeof(*sums), by_number);
	return nr_sums;
}

static void print_sums(const struct report *report, struct sum *sums, size_t nr)
{
	static const char *const titles[] = { "AND", "LANE", "REQUEST", "FD", "WHERE", "FILE" };
	struct table table = { .titles = titles, .right = 1u << 0 | 1u << 3, .nr_columns = 6 };
	size_t nr_sums = add_up(sums, nr), nr_left = nr;

	for (size_t i = 0; i < nr_sums && i < SUMS_SHOWN; i++) {
		const struct dumped *of = sums[i].of;
		char number[32], fd[16], file[PATH_MAX];

		snprintf(number, sizeof(number), "%zu", sums[i].nr);
		snprintf(fd, sizeof(fd), "%d", of->fd);
		write_file(report, of, file, sizeof(file));
		add_row(&table, (const char *const[]){ number, words_lane(of), words_what(of), fd,
						       words_place(of), file });
		nr_left -= sums[i].nr;
	}
	print_table(&table);
	if (nr_left)
		printf("and %zu others (--all shows each)\n", nr_left);
}

/* ---- the parts of the report ---- */

static void print_heading(const struct report *report)
{
	const struct image *image = report->image;
	const struct requests *requests = report->requests;
	char age[32];

	if (image->pid)
		printf("process    %d  %s%s\n", (int)image->pid, clean(image->command),
		       image->is_core ? ", from a core file" : "");
	else
		printf("process    of %s\n", clean(image->title));
	printf("library    rtaio %s, %s\n", clean(report->library->root.version),
	       clean(report->library->path));
	printf("backend    %s (RTAIO_BACKEND=%s)\n", report->serving, words_asked(report->library));
	printf("in flight  %zu%s", requests->nr_of[DUMP_TRANSFER],
	       requests->is_cut ? " and more, which were not read" : "");
	for (size_t i = 0; i < requests->nr; i++) {
		if (requests->list[i].what != DUMP_TRANSFER)
			continue;
		write_age_of(report, &requests->list[i], age);
		printf(", the oldest for %s", age);
		break;
	}
	putchar('\n');
}

static void print_requests(const struct report *report, bool shows_all)
{
	static const char *const titles[] = { "AGE",    "LANE", "REQUEST", "FD",
					      "OFFSET", "SIZE", "WHERE",   "FILE" };
	struct table table = { .titles = titles,
			       .right = 1u << 0 | 1u << 3 | 1u << 4 | 1u << 5,
			       .nr_columns = 8 };
	const struct requests *requests = report->requests;
	struct sum *rest = make(requests->nr, sizeof(*rest));
	size_t nr_rest = 0;

	for (size_t i = 0; i < requests->nr; i++) {
		const struct dumped *dumped = &requests->list[i];

		if (dumped->what != DUMP_TRANSFER && dumped->what != DUMP_NOTIFICATION)
			continue;
		if (shows_all || table.nr_rows < ROWS_SHOWN)
			add_request(&table, report, dumped);
		else
			rest[nr_rest++] = (struct sum){ 1, dumped };
	}
	print_table(&table);
	if (nr_rest)
		print_sums(report, rest, nr_rest);
}

static void describe(const struct dumped *dumped, char *buf, size_t size)
{
	if (dumped->what == DUMP_LIST)
		snprintf(buf, size, "waits for %u of its requests", dumped->members);
	else if (dumped->what == DUMP_CANCEL && dumped->target)
		snprintf(buf, size, "of one request: waits for the engine's answer");
	else if (dumped->what == DUMP_CANCEL)
		snprintf(buf, size, "of all of descriptor %d: waits for the engine's answer",
			 dumped->fd);
	else if (dumped->last_fd > dumped->fd)
		snprintf(buf, size, "of descriptors %d to %d: waits for the engine's answer",
			 dumped->fd, dumped->last_fd);
	else
		snprintf(buf, size, "of descriptor %d: waits for the engine's answer", dumped->fd);
}

static void print_calls(const struct report *report, bool shows_all)
{
	static const char *const titles[] = { "AGE", "CALL", "WAITS FOR" };
	struct table table = { .titles = titles, .right = 1u << 0, .nr_columns = 3 };
	const struct requests *requests = report->requests;
	size_t nr_rest = 0;

	for (size_t i = 0; i < requests->nr; i++) {
		const struct dumped *dumped = &requests->list[i];
		char age[32], text[128];

		if (dumped->what == DUMP_TRANSFER || dumped->what == DUMP_NOTIFICATION)
			continue;
		if (!shows_all && table.nr_rows == ROWS_SHOWN) {
			nr_rest++;
			continue;
		}
		write_age_of(report, dumped, age);
		describe(dumped, text, sizeof(text));
		add_row(&table, (const char *const[]){ age, words_what(dumped), text });
	}
	print_table(&table);
	if (nr_rest)
		printf("and %zu more calls (--all shows each)\n", nr_rest);
}

static void write_wait(const struct dumped_thread *thread, char *buf, size_t size)
{
	const struct dumped *at = thread->at;
	char work[64] = "";

	if (at)
		snprintf(work, sizeof(work), "performs a %s of fd %d%s", words_what(at), at->fd,
			 thread->waits_for[0] ? ": " : "");
	snprintf(buf, size, "%s%s%s%s%s", work, thread->waits_for, thread->place[0] ? " [" : "",
		 thread->place, thread->place[0] ? "]" : "");
}

static void print_threads(const struct report *report)
{
	static const char *const titles[] = { "THREAD", "NAME", "STATE", "CPU", "WAITS" };
	struct table table = { .titles = titles, .right = 1u << 0 | 1u << 3, .nr_columns = 5 };
	const struct threads *threads = report->threads;

	for (size_t i = 0; i < threads->nr; i++) {
		const struct dumped_thread *thread = &threads->list[i];
		char tid[16], cpu[32] = "?", text[320];

		snprintf(tid, sizeof(tid), "%d", (int)thread->tid);
		if (thread->state)
			snprintf(cpu, sizeof(cpu), "%" PRIu64 " ms", thread->cpu_ms);
		write_wait(thread, text, sizeof(text));
		add_row(&table,
			(const char *const[]){ tid, thread->name,
					       thread->state ? dump_state(thread->state) : "?", cpu,
					       text });
	}
	print_table(&table);
	printf("%s%zu other thread%s\n", threads->nr ? "and " : "\n", threads->nr_others,
	       threads->nr_others == 1 ? "" : "s");
}

void dump_show_text(const struct report *report, bool shows_all)
{
	char hint[PATH_MAX + 256];

	print_heading(report);
	print_requests(report, shows_all);
	print_calls(report, shows_all);
	print_threads(report);
	words_hint(report, hint, sizeof(hint));
	if (hint[0])
		printf("\n%s\n", clean(hint));
	if (report->image->is_core)
		printf("\nA core file has neither names of files nor what threads wait for; ages "
		       "end with the last submission.\n");
}
