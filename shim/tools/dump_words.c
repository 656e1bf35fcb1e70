// SPDX-License-Identifier: MIT
/*
 * dump_words.c - how requests, places and causes are called; the contract is in dump_words.h
 */
#include "tools/dump_words.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/number.h"
#include "request/request.h"
#include "tools/image_process.h"

const char *words_lane(const struct dumped *dumped)
{
	if (dumped->place == PLACE_DIRECT)
		return "direct";
	if (dumped->place == PLACE_HANDED_OVER)
		return dumped->copy_kind ? "copier" : "offload";
	return "engine";
}

const char *words_what(const struct dumped *dumped)
{
	static const char *const of_question[] = {
		[DUMP_LIST] = "lio_listio",
		[DUMP_CANCEL] = "aio_cancel",
		[DUMP_CLOSE] = "close",
	};

	if (dumped->what >= DUMP_LIST && dumped->what <= DUMP_CLOSE)
		return of_question[dumped->what];
	switch (dumped->op) {
	case OP_READ:
		return "read";
	case OP_WRITE:
		return "write";
	case OP_FSYNC:
		return "fsync";
	case OP_FDATASYNC:
		return "fdatasync";
	case OP_GROUP:
		return "list";
	default:
		return "invalid";
	}
}

const char *words_place(const struct dumped *dumped)
{
	switch (dumped->place) {
	case PLACE_SUBMITTER:
		return dumped->word & REQUEST_SUBMITTING ? "in the call that submits it"
							 : "waits in the inbox of the engine";
	case PLACE_QUEUE:
		return "waits in the queue of its descriptor";
	case PLACE_RING:
		return dumped->cancel ? "in the kernel, io_uring, being cancelled"
				      : "in the kernel, io_uring";
	case PLACE_WORKERS:
		if (dumped->pin)
			return "with the thread of its closed file";
		return dumped->tid ? "with a worker" : "waits for a worker";
	case PLACE_NO_THREAD:
		return "waits for a thread, none can be made";
	case PLACE_HANDED_OVER:
		if (dumped->copy_kind)
			return "with the copier";
		return dumped->tid ? "with a worker" : "waits for a worker";
	case PLACE_DIRECT:
		return dumped->word & REQUEST_SUBMITTING ? "in the call that submits it"
							 : "in the kernel, Linux AIO";
	case PLACE_PERFORMED:
		return "performed, waits for other O_SYNC writes";
	case PLACE_ENDED:
		return "complete, about to be told";
	case PLACE_DONE:
		return dumped->is_thread ? "complete, waits for the thread of its callback"
					 : "complete, waits for room for its signal";
	default:
		return "unknown";
	}
}

void words_place_and_thread(const struct dumped *dumped, char *buf, size_t size)
{
	const char *place = words_place(dumped);

	if (dumped->thread && strcmp(place, "with a worker") == 0)
		snprintf(buf, size, "%s, thread %u", place, dumped->thread);
	else if (dumped->done)
		snprintf(buf, size, "%s, %llu done", place, (unsigned long long)dumped->done);
	else
		snprintf(buf, size, "%s", place);
}

void words_file(const struct report *report, const struct dumped *dumped, char *buf, size_t size)
{
	char path[64];
	ssize_t nr = -1;

	if (!report->image->is_core && !dumped->is_closed) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)report->image->pid, dumped->fd);
		nr = readlink(path, buf, size - 1);
	}
	buf[nr < 0 ? 0 : nr] = '\0';
}

bool words_has_size(const struct dumped *dumped)
{
	return dumped->op == OP_READ || dumped->op == OP_WRITE;
}

bool words_has_offset(const struct dumped *dumped)
{
	return words_has_size(dumped) &&
	       (S_ISREG(dumped->mode) || S_ISBLK(dumped->mode) || S_ISDIR(dumped->mode));
}

const char *words_asked(const struct library *library)
{
	static const char *const names[BACKEND_NR] = {
		[BACKEND_INVALID] = "invalid",   [BACKEND_AUTO] = "auto",
		[BACKEND_IO_URING] = "io_uring", [BACKEND_LIBAIO] = "libaio",
		[BACKEND_THREADS] = "threads",   [BACKEND_GLIBC] = "glibc",
	};

	return library->asked >= 0 && library->asked < BACKEND_NR ? names[library->asked]
								  : "unknown";
}

/* ---- hints ---- */

/* The type of the mount of a descriptor, without a question to its server.  "": unknown. */
static void file_system_of(const struct image *image, const struct dumped *dumped, char *type,
			   size_t size)
{
	char name[64], text[1024], path[64], *line = NULL;
	size_t line_size = 0;
	const char *at;
	long mount, id;
	FILE *mounts;

	type[0] = '\0';
	snprintf(name, sizeof(name), "fdinfo/%d", dumped->fd);
	if (dumped->is_closed || proc_read(image->pid, name, text, sizeof(text)) <= 0)
		return;
	mount = status_field(text, "\nmnt_id:", -1);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)image->pid);
	mounts = fopen(path, "re");
	while (mounts && !type[0] && getline(&line, &line_size, mounts) > 0) {
		id = number_strtol(line, NULL, 10);
		at = strstr(line, " - ");
		if (id == mount && at)
			snprintf(type, size, "%.*s", (int)strcspn(at + 3, " "), at + 3);
	}
	free(line);
	if (mounts)
		fclose(mounts);
}

/* A thread that waits for a disk or server: FUSE lets signals end that, others do not. */
static const struct dumped_thread *blocked_thread(const struct threads *threads)
{
	for (size_t i = 0; i < threads->nr; i++) {
		const struct dumped_thread *thread = &threads->list[i];

		if (thread->at &&
		    (thread->state == 'D' || strcmp(thread->place, "request_wait_answer") == 0))
			return thread;
	}
	return NULL;
}

static bool hint_at_stop(const struct report *report, char *buf, size_t size)
{
	const struct image *image = report->image;

	if (image->state == 'T')
		snprintf(buf, size, "The process is stopped; kill -CONT %d lets it go on.",
			 (int)image->pid);
	else if (image->state == 't')
		snprintf(buf, size, "Process %d, a debugger, has stopped the process.",
			 (int)image->tracer);
	return image->state == 'T' || image->state == 't';
}

static bool hint_at_blocked_thread(const struct report *report, char *buf, size_t size)
{
	const struct dumped_thread *thread = blocked_thread(report->threads);
	char type[64], file[PATH_MAX];

	if (!thread)
		return false;
	file_system_of(report->image, thread->at, type, sizeof(type));
	words_file(report, thread->at, file, sizeof(file));
	snprintf(buf, size, "Thread %d waits for the disk or server of the file system%s%s%s%s%s.",
		 (int)thread->tid, type[0] ? " " : "", type, file[0] ? ", file " : "", file,
		 thread->state == 'D' ? ", and no signal reaches it" : "");
	return true;
}

static const struct dumped *find(const struct requests *requests,
				 bool (*is_meant)(const struct dumped *))
{
	for (size_t i = 0; i < requests->nr; i++)
		if (is_meant(&requests->list[i]))
			return &requests->list[i];
	return NULL;
}

static bool has_no_thread(const struct dumped *dumped)
{
	return dumped->place == PLACE_NO_THREAD;
}

static bool waits_for_signal(const struct dumped *dumped)
{
	return dumped->what == DUMP_NOTIFICATION && !dumped->is_thread;
}

static bool reads_stream(const struct dumped *dumped)
{
	return dumped->what == DUMP_TRANSFER && dumped->op == OP_READ && !dumped->is_closed &&
	       (S_ISFIFO(dumped->mode) || S_ISSOCK(dumped->mode));
}

static bool hint_at_requests(const struct report *report, char *buf, size_t size)
{
	const struct requests *requests = report->requests;

	if (find(requests, has_no_thread))
		snprintf(
			buf, size,
			"No thread can be made: raise ulimit -u, or pids.max of the control group.");
	else if (find(requests, waits_for_signal))
		snprintf(
			buf, size,
			"No more signals may wait: the program keeps them blocked, or ulimit -i is "
			"too small.");
	else if (requests->nr && reads_stream(&requests->list[0]))
		snprintf(
			buf, size,
			"The oldest request waits for data that the other end of descriptor %d has "
			"not sent.",
			requests->list[0].fd);
	return buf[0] != '\0';
}

void words_hint(const struct report *report, char *buf, size_t size)
{
	buf[0] = '\0';
	if (hint_at_stop(report, buf, size) || hint_at_blocked_thread(report, buf, size) ||
	    hint_at_requests(report, buf, size))
		return;
	if (report->library->asked == BACKEND_AUTO && strcmp(report->serving, "threads") == 0)
		snprintf(buf, size,
			 "io_uring is refused to this process; rtaio --status in its "
			 "place says why.");
}
