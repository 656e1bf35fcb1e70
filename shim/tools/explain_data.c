// SPDX-License-Identifier: MIT
/*
 * explain_data.c - what the processes of a command noted, added up.
 *
 * The files are read, not mapped: one that becomes shorter meanwhile must not kill the reader.
 * What is missing at the end of a file is taken for zeros.
 */
#include "tools/explain_data.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/probes.h"
#include "base/refusal.h"
#include "request/request.h"

/* Of more processes than so many, some samples are left out. */
#define PROCESSES_WHOLE 32u

static void *grow(void *array, size_t nr, size_t size)
{
	void *grown = nr & (nr - 1) ? array : realloc(array, (nr ? 2 * nr : 1) * size);

	if (!grown) {
		perror("rtaio-explain");
		exit(125);
	}
	return grown;
}

/* Room for one more at the end of @array: it doubles at each power of two. */
#define APPEND(array, nr) ((array) = grow(array, nr, sizeof(*(array))), &(array)[(nr)++])

static bool read_up_to(int fd, void *buffer, size_t size, size_t *length)
{
	ssize_t nr;

	for (*length = 0; *length < size; *length += (size_t)nr) {
		nr = pread(fd, (char *)buffer + *length, size - *length, (off_t)*length);
		if (nr < 0)
			return false;
		if (nr == 0)
			break;
	}
	return true;
}

/* ---- counters ---- */

static void add_row(struct explain_totals *totals, const struct explain_row *row)
{
	totals->threads += row->submitted || row->collected || row->waits || row->polls;
	totals->submitted += row->submitted;
	totals->completed += row->completed;
	totals->collected += row->collected;
	totals->errors += row->errors;
	totals->lists += row->lists;
	totals->polls += row->polls;
	totals->waits += row->waits;
	totals->waiting_ns += row->waiting_ns;
	totals->submitting_ns += row->submitting_ns;
}

static void add_totals(struct explain_totals *totals, const struct explain_totals *more)
{
	totals->threads += more->threads;
	totals->submitted += more->submitted;
	totals->completed += more->completed;
	totals->collected += more->collected;
	totals->errors += more->errors;
	totals->lists += more->lists;
	totals->polls += more->polls;
	totals->waits += more->waits;
	totals->waiting_ns += more->waiting_ns;
	totals->submitting_ns += more->submitting_ns;
}

static void add_rows(struct explain_totals *totals, const struct explain_file *file)
{
	for (unsigned i = 0; i < EXPLAIN_ROWS; i++)
		add_row(totals, &file->rows[i]);
}

/* ---- one process ---- */

/* The texts may have been cut short. */
#define COPY_TEXT(to, from) snprintf(to, sizeof(to), "%.*s", (int)strnlen(from, sizeof(from)), from)

static struct explain_process *add_process(struct explain_data *data,
					   const struct explain_file *file, uint64_t now_ns)
{
	struct explain_process *process = APPEND(data->processes, data->nr_processes);
	uint64_t lived_ns;

	memset(process, 0, sizeof(*process));
	process->pid = file->pid;
	process->is_killed = file->ended_ns == 0;
	process->started_ns = file->started_ns;
	process->ended_ns = process->is_killed ? now_ns : file->ended_ns;
	COPY_TEXT(process->version, file->version);
	COPY_TEXT(process->backend, file->backend);
	COPY_TEXT(process->command, file->command);
	add_rows(&process->totals, file);
	add_totals(&data->totals, &process->totals);
	lived_ns = process->ended_ns > process->started_ns ? process->ended_ns - process->started_ns
							   : 0;
	data->thread_ns += (double)process->totals.threads * (double)lived_ns;
	return process;
}

/* The same file of two processes is one.  Those without a name are one, too. */
static uint32_t add_name(struct explain_data *data, const struct explain_file_name *name)
{
	bool is_named = name->state == 2;
	uint64_t device = is_named ? name->device : 0, inode = is_named ? name->inode : 0;
	struct explain_named *named;

	for (size_t i = 0; i < data->nr_files; i++)
		if (data->files[i].device == device && data->files[i].inode == inode)
			return (uint32_t)i;
	named = APPEND(data->files, data->nr_files);
	memset(named, 0, sizeof(*named));
	named->index = (uint32_t)data->nr_files - 1;
	named->device = device;
	named->inode = inode;
	if (is_named)
		COPY_TEXT(named->path, name->path);
	return (uint32_t)data->nr_files - 1;
}

/* The library's threads write to a sample while the process is killed. */
static uint64_t since(uint64_t from, uint64_t to)
{
	return to == 0 ? EXPLAIN_NEVER : to > from ? to - from : 0;
}

static void note_span(struct explain_data *data, const struct explain_request *request)
{
	uint64_t end = request->submitted_ns;

	if (request->completion_ns != EXPLAIN_NEVER)
		end = request->submitted_ns + request->completion_ns;
	if (request->collection_ns != EXPLAIN_NEVER &&
	    request->submitted_ns + request->collection_ns > end)
		end = request->submitted_ns + request->collection_ns;
	if (data->first_ns == 0 || request->submitted_ns < data->first_ns)
		data->first_ns = request->submitted_ns;
	if (end > data->last_ns)
		data->last_ns = end;
}

static void add_sample(struct explain_data *data, const struct explain_sample *sample, double times,
		       uint32_t file)
{
	struct explain_request *request = APPEND(data->requests, data->nr_requests);
	struct explain_named *named = &data->files[file];

	*request = (struct explain_request){
		.weight = times * (sample->weight ? sample->weight : 1),
		.submitted_ns = sample->submitted_ns,
		.completion_ns = since(sample->submitted_ns, sample->completed_ns),
		.collection_ns = since(sample->submitted_ns, sample->collected_ns),
		.nbytes = sample->nbytes,
		.offset = sample->offset,
		.call_ns = sample->call_ns,
		.depth = sample->depth ? sample->depth : 1,
		.flags = sample->flags,
		.file = file,
		.op = sample->op,
		.lane = sample->lane <= PROBE_ENGINE ? sample->lane : 0,
		.refusal = sample->refusal < REFUSED_NR ? sample->refusal : REFUSED_none,
		.kind = sample->kind <= EXPLAIN_TERMINAL ? sample->kind : EXPLAIN_UNKNOWN,
		.notify = sample->notify,
		.in_list = sample->in_list,
	};
	if (sample->completed_ns || sample->collected_ns)
		request->result = sample->result;
	note_span(data, request);
	data->weight += request->weight;
	named->weight += request->weight;
	if (request->result > 0)
		named->bytes += request->weight * (double)request->result;
	data->bytes += request->result > 0 ? request->weight * (double)request->result : 0;
}

/* One that was not accepted has no time; of one that was cut short the rest is missing. */
static bool is_request(const struct explain_sample *sample)
{
	return sample->state != EXPLAIN_FREE && sample->submitted_ns && sample->op >= OP_READ &&
	       sample->op <= OP_FDATASYNC;
}

static void add_samples(struct explain_data *data, const struct explain_file *file, unsigned stride)
{
	double times = stride;
	uint32_t names[EXPLAIN_FILES];
	bool is_known[EXPLAIN_FILES] = { false };

	if (file->nr_samples > EXPLAIN_SAMPLES)
		times *= (double)file->nr_samples / EXPLAIN_SAMPLES;
	for (unsigned i = 0; i < EXPLAIN_SAMPLES; i += stride) {
		const struct explain_sample *sample = &file->samples[i];
		unsigned name = sample->file < EXPLAIN_FILES ? sample->file : EXPLAIN_FILES - 1;

		if (!is_request(sample))
			continue;
		if (!is_known[name]) {
			names[name] = add_name(data, &file->names[name]);
			is_known[name] = true;
		}
		add_sample(data, sample, times, names[name]);
	}
}

/* ---- file systems ---- */

static void name_file_system(struct explain_data *data, uint64_t device, const char *type)
{
	for (size_t i = 0; i < data->nr_files; i++)
		if (data->files[i].device == device && data->files[i].path[0])
			snprintf(data->files[i].file_system, sizeof(data->files[i].file_system),
				 "%s", type);
}

/* statfs() may ask a server that does not answer. */
static void name_file_systems(struct explain_data *data)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096], type[32];
	unsigned major, minor;

	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *rest = strstr(line, " - ");

		if (rest && number_sscanf(line, "%*u %*u %u:%u", &major, &minor) == 2 &&
		    number_sscanf(rest, " - %31s", type) == 1)
			name_file_system(data, (uint64_t)major << 32 | minor, type);
	}
	if (mounts)
		fclose(mounts);
}

/* ---- the directory ---- */

static const char *why_unusable(const struct explain_file *file, size_t length)
{
	if (length == 0)
		return "there was no room for it";
	if (length < offsetof(struct explain_file, rows))
		return "it is too short";
	if (file->magic == 0)
		return "its process ended before it was ready";
	if (file->magic != EXPLAIN_MAGIC || file->size != sizeof(*file) ||
	    strncmp(file->version, RTAIO_VERSION, sizeof(file->version)) != 0)
		return "another version of rtaio wrote it";
	return NULL;
}

static void skip_file(struct explain_data *data, const char *name, const char *why)
{
	struct explain_skipped *skipped = APPEND(data->skipped, data->nr_skipped);

	snprintf(skipped->name, sizeof(skipped->name), "%s", name);
	skipped->why = why;
}

static void add_file(struct explain_data *data, int dir, const char *name, unsigned stride,
		     uint64_t now_ns)
{
	struct explain_file *file = calloc(1, sizeof(*file));
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *why = "it cannot be read";
	size_t length;

	if (file && fd >= 0 && read_up_to(fd, file, sizeof(*file), &length))
		why = why_unusable(file, length);
	if (why) {
		skip_file(data, name, why);
	} else {
		add_process(data, file, now_ns);
		add_samples(data, file, stride);
	}
	if (fd >= 0)
		close(fd);
	free(file);
}

static void watch_file(struct explain_progress *progress, int dir, const char *name)
{
	static struct explain_file file; /* without the names and samples that follow */
	const size_t head = offsetof(struct explain_file, names);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t length;

	if (fd < 0)
		return;
	memset(&file, 0, head);
	if (read_up_to(fd, &file, head, &length) && !why_unusable(&file, length)) {
		add_rows(&progress->totals, &file);
		if (progress->nr_processes < sizeof(progress->pids) / sizeof(progress->pids[0]))
			progress->pids[progress->nr_processes] = file.pid;
		progress->nr_processes++;
	}
	close(fd);
}

static unsigned count_entries(DIR *dir)
{
	unsigned nr = 0;

	while (readdir(dir))
		nr++;
	rewinddir(dir);
	return nr;
}

void explain_data_progress(struct explain_progress *progress, const char *directory)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;

	memset(progress, 0, sizeof(*progress));
	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			watch_file(progress, dirfd(dir), entry->d_name);
	closedir(dir);
}

uint64_t explain_done(const struct explain_totals *totals)
{
	return totals->completed ? totals->completed : totals->collected;
}

static int by_requests(const void *a, const void *b)
{
	uint64_t left = ((const struct explain_process *)a)->totals.submitted;
	uint64_t right = ((const struct explain_process *)b)->totals.submitted;

	return (left < right) - (left > right);
}

static int by_weight(const void *a, const void *b)
{
	double left = ((const struct explain_named *)a)->weight;
	double right = ((const struct explain_named *)b)->weight;

	return (left < right) - (left > right);
}

/* The indices of the requests follow. */
static void sort_files(struct explain_data *data)
{
	uint32_t *place = calloc(data->nr_files + 1, sizeof(*place));

	if (!place || data->nr_files == 0) {
		free(place);
		return;
	}
	qsort(data->files, data->nr_files, sizeof(*data->files), by_weight);
	for (size_t i = 0; i < data->nr_files; i++)
		place[data->files[i].index] = (uint32_t)i;
	for (size_t i = 0; i < data->nr_requests; i++)
		data->requests[i].file = place[data->requests[i].file];
	free(place);
}

/* Times are estimates, of which a long wait may be a large part. */
static void limit_times(struct explain_data *data)
{
	struct explain_totals *totals = &data->totals;
	uint64_t all_ns = (uint64_t)data->thread_ns;

	if (totals->submitting_ns > all_ns)
		totals->submitting_ns = all_ns;
	if (totals->waiting_ns > all_ns - totals->submitting_ns)
		totals->waiting_ns = all_ns - totals->submitting_ns;
}

/* The number of all requests is exact. */
static void scale_bytes(struct explain_data *data)
{
	double times = data->weight > 0 ? (double)data->totals.submitted / data->weight : 0;

	data->bytes *= times;
	for (size_t i = 0; i < data->nr_files; i++)
		data->files[i].bytes *= times;
}

bool explain_data_read(struct explain_data *data, const char *directory, uint64_t now_ns)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	unsigned stride;

	memset(data, 0, sizeof(*data));
	if (!dir)
		return false;
	stride = 1 + count_entries(dir) / PROCESSES_WHOLE;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			add_file(data, dirfd(dir), entry->d_name, stride, now_ns);
	closedir(dir);
	if (data->nr_processes)
		qsort(data->processes, data->nr_processes, sizeof(*data->processes), by_requests);
	sort_files(data);
	name_file_systems(data);
	limit_times(data);
	scale_bytes(data);
	return true;
}

void explain_data_free(struct explain_data *data)
{
	free(data->processes);
	free(data->requests);
	free(data->files);
	free(data->skipped);
	memset(data, 0, sizeof(*data));
}
