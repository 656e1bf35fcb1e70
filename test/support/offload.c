// SPDX-License-Identifier: MIT
/*
 * offload.c - what the test_offload programs share
 *
 * The contracts are in offload.h.
 */
#include "offload.h"

static int run_forced(void *arg)
{
	int (**function)(void) = arg;

	/* Read at the first use of AIO, which is still to come in this process. */
	setenv("RTAIO_TEST_COPIER", "1", 1);
	return (*function)();
}

void support_check_both_ways(int (*function)(void), unsigned int deadline_ms, const char *name,
			     const char *file, int line)
{
	support_check_or_skip_child(in_child(function, deadline_ms), name, file, line);
	support_check_or_skip_child(in_child_with(run_forced, &function, deadline_ms), name, file,
				    line);
}

struct play {
	const char *role, *counters;
	bool is_forced;
};

static int run_role(void *arg)
{
	struct play *play = arg;

	setenv("RTAIO_STATS", play->counters, 1);
	setenv("RTAIO_INLINE", "1", 1);
	setenv("RTAIO_OFFLOAD", "1", 1);
	setenv("RTAIO_TEST_COPIER", play->is_forced ? "1" : "0", 1);
	execl(own_program(), program_invocation_name, "--role", play->role, NULL);
	return 1;
}

static bool is_among(const char *names, const char *name)
{
	const char *at = strstr(names, name);
	size_t length = strlen(name);

	return at && (at == names || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ');
}

long count_in_role(const char *role, bool is_forced, const char *counters)
{
	struct play play = { .role = role, .is_forced = is_forced };
	char path[PATH_MAX], line[256], name[64];
	long value, found = -1;
	bool counts = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s", temp_path("counters"));
	play.counters = path;
	unlink(path);
	support_check_or_skip_child(in_child_with(run_role, &play, 20000), role, __FILE__,
				    __LINE__);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "rtaio: %63s %ld", name, &value) == 2) {
			counts = true;
			if (is_among(counters, name))
				found = (found < 0 ? 0 : found) + value;
		}
	if (file)
		fclose(file);
	unlink(path);
	if (counts && found < 0)
		check_failed("no counter is called %s", counters);
	return found;
}

void work_open(struct work *work, int fd, off_t begin, size_t size, size_t room, unsigned int depth)
{
	memset(work, 0, sizeof(*work));
	work->fd = fd;
	work->begin = begin;
	work->size = size;
	work->depth = depth;
	work->image = direct_buffer(size);
	work->found = direct_buffer(size);
	for (unsigned int i = 0; i < depth; i++) {
		work->places[i].buf = direct_buffer(room + BLOCK);
		work->places[i].expected = direct_buffer(room);
	}
}

void work_open_filled(struct work *work, int fd, off_t begin, size_t size, size_t room,
		      unsigned int depth)
{
	work_open(work, fd, begin, size, room, depth);
	pattern_fill(work->image, (size_t)begin, size);
	check_equal(pwrite(fd, work->image, size, begin), size);
}

static void work_collect(struct place *place)
{
	if (!place->is_used)
		return;
	check_equal(outcome(&place->cb), place->size);
	if (place->is_read)
		check_memory((char *)place->cb.aio_buf, place->expected, place->size);
	place->is_used = false;
}

/* The place of the oldest request, which is collected as late as that. */
static struct place *work_next(struct work *work, size_t size, bool is_read)
{
	struct place *place = &work->places[work->nr++ % work->depth];

	work_collect(place);
	place->size = size;
	place->is_read = is_read;
	place->is_used = true;
	return place;
}

static void work_stamp(struct work *work, char *buf, size_t size)
{
	uint32_t stamp = ++work->stamp;

	memset(buf, (int)(stamp % 251) + 1, size);
	memcpy(buf, &stamp, size < sizeof(stamp) ? size : sizeof(stamp));
}

void work_write_from(struct work *work, size_t offset, size_t size, size_t skew)
{
	struct place *place = work_next(work, size, false);
	char *buf = place->buf + skew;

	work_stamp(work, buf, size);
	memcpy(work->image + offset, buf, size);
	submit_write(&place->cb, work->fd, buf, size, work->begin + (off_t)offset);
}

void work_read_to(struct work *work, size_t offset, size_t size, size_t skew)
{
	struct place *place = work_next(work, size, true);
	char *buf = place->buf + skew;

	memset(buf, 0, size);
	memcpy(place->expected, work->image + offset, size);
	submit_read(&place->cb, work->fd, buf, size, work->begin + (off_t)offset);
}

void work_write(struct work *work, size_t offset, size_t size)
{
	work_write_from(work, offset, size, 0);
}

void work_read(struct work *work, size_t offset, size_t size)
{
	work_read_to(work, offset, size, 0);
}

void work_transfer(struct work *work, bool is_read, size_t offset, size_t size)
{
	if (is_read)
		work_read(work, offset, size);
	else
		work_write(work, offset, size);
}

void work_do_any(struct work *work, size_t nr_blocks, unsigned int *seed)
{
	unsigned int number = (unsigned int)rand_r(seed);
	size_t block = number / 64 % nr_blocks, size = BLOCK;
	size_t offset = block * BLOCK;

	if (number / 2 % 4 == 0 && block + 1 < nr_blocks)
		size = 2 * BLOCK;
	if (number / 2 % 16 == 1) {
		offset += 512;
		size = 1000;
	}
	work_transfer(work, number % 2 == 0, offset, size);
}

void work_check(struct work *work)
{
	for (unsigned int i = 0; i < work->depth; i++)
		work_collect(&work->places[i]);
	check_equal(pread(work->fd, work->found, work->size, work->begin), work->size);
	check_memory(work->found, work->image, work->size);
}

void work_close(struct work *work)
{
	work_check(work);
	for (unsigned int i = 0; i < work->depth; i++) {
		free(work->places[i].buf);
		free(work->places[i].expected);
	}
	free(work->image);
	free(work->found);
}
