// SPDX-License-Identifier: MIT
/*
 * writer.c - the contract is in writer.h
 */
#include "writer.h"

#include <sys/stat.h>

#define NR_OPS         48
#define SLOTS_MAX      32 /* of one write: long enough for the lane of long transfers */
#define MAGIC          0x7274696fu
#define FACTOR         2654435761u
#define FACTOR_INVERSE 244002641u /* modulo 2^32 */

static const char *const names[WRITER_FILES] = { "buffered", "direct", "dsync", "append" };
static const int flags[WRITER_FILES] = { 0, O_DIRECT, O_DSYNC, O_APPEND };

/* What each sector holds. */
struct stamp {
	uint32_t magic, file, slot, sector;
	int32_t version;
	uint32_t filler[WRITER_SECTOR / 4 - 5];
};

enum kind { IDLE, WRITE, SYNC };

struct op {
	struct aiocb cb;
	enum kind kind;
	enum writer_file file;
	int slot, nr_slots, version;
	unsigned char *buf;
	int covered[WRITER_SLOTS],
		nr_records; /* SYNC: the versions that were submitted before it */
};

static struct writer_ledger *ledger;
static struct op ops[NR_OPS];
static int fds[WRITER_FILES];
static bool is_busy[WRITER_FILES][WRITER_SLOTS];
static bool is_appended[WRITER_RECORDS]; /* complete */
static unsigned int state;

static unsigned int random_below(unsigned int limit)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % limit;
}

__attribute__((format(printf, 2, 3))) static bool note_wrong(struct writer_ledger *in,
							     const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&in->is_wrong, true))
		return false;
	va_start(args, format);
	vsnprintf(in->wrong, sizeof(in->wrong), format, args);
	va_end(args);
	return false;
}

static void stamp_sector(unsigned char *sector, enum writer_file file, int slot, int number,
			 int version)
{
	struct stamp stamp = { MAGIC, file, (uint32_t)slot, (uint32_t)number, version, { 0 } };

	for (size_t i = 0; i < sizeof(stamp.filler) / 4; i++)
		stamp.filler[i] = (uint32_t)version * FACTOR + (uint32_t)i;
	memcpy(sector, &stamp, sizeof(stamp));
}

/* -1: no whole stamp of this sector; 0: nothing was written there. */
static int version_of(const unsigned char *sector, enum writer_file file, int slot, int number)
{
	static const unsigned char zeros[WRITER_SECTOR];
	unsigned char expected[WRITER_SECTOR];
	int version;

	if (memcmp(sector, zeros, WRITER_SECTOR) == 0)
		return 0;
	memcpy(&version, sector + offsetof(struct stamp, version), sizeof(version));
	stamp_sector(expected, file, slot, number, version);
	return memcmp(sector, expected, WRITER_SECTOR) == 0 ? version : -1;
}

/*
 * The kernel may write a page to the disk while the program writes to it.  So a sector that was
 * written since the last sync may have words of several versions, but none older than that sync.
 */
static bool is_mixed(const unsigned char *sector, enum writer_file file, int slot, int number,
		     int least, int last)
{
	struct stamp stamp;

	memcpy(&stamp, sector, sizeof(stamp));
	if (file != WRITER_BUFFERED || least == last || stamp.magic != MAGIC ||
	    stamp.file != file || stamp.slot != (uint32_t)slot ||
	    stamp.sector != (uint32_t)number || stamp.version < least || stamp.version > last)
		return false;
	for (size_t i = 0; i < sizeof(stamp.filler) / 4; i++) {
		int version = (int)((stamp.filler[i] - (uint32_t)i) * FACTOR_INVERSE);

		if (version < least || version > last)
			return false;
	}
	return true;
}

/* ---- the writer ---- */

static void begin_write(struct op *op)
{
	const int per_slot = WRITER_SLOT / WRITER_SECTOR;
	int nr = random_below(8) ? 1 + (int)random_below(4) : SLOTS_MAX;

	op->slot = (int)random_below(WRITER_SLOTS);
	for (op->nr_slots = 0; op->nr_slots < nr && op->slot + op->nr_slots < WRITER_SLOTS;
	     op->nr_slots++)
		if (is_busy[op->file][op->slot + op->nr_slots])
			break;
	if (op->nr_slots == 0)
		return;
	op->version = 0;
	for (int i = op->slot; i < op->slot + op->nr_slots; i++)
		if (ledger->issued[op->file][i] >= op->version)
			op->version = ledger->issued[op->file][i] + 1;
	for (int i = 0; i < op->nr_slots; i++) {
		is_busy[op->file][op->slot + i] = true;
		ledger->issued[op->file][op->slot + i] = op->version;
		for (int j = 0; j < per_slot; j++)
			stamp_sector(op->buf + i * WRITER_SLOT + j * WRITER_SECTOR, op->file,
				     op->slot + i, j, op->version);
	}
	op->kind = WRITE;
	aiocb_init(&op->cb, fds[op->file], op->buf, (size_t)op->nr_slots * WRITER_SLOT,
		   (off_t)op->slot * WRITER_SLOT);
	check_equal(aio_write(&op->cb), 0);
}

static void begin_append(struct op *op)
{
	if (ledger->nr_issued == WRITER_RECORDS)
		return;
	op->slot = ledger->nr_issued;
	op->kind = WRITE;
	stamp_sector(op->buf, op->file, op->slot, 0, 1);
	ledger->nr_issued++;
	aiocb_init(&op->cb, fds[op->file], op->buf, WRITER_SECTOR, 0);
	check_equal(aio_write(&op->cb), 0);
}

static void begin_sync(struct op *op)
{
	op->kind = SYNC;
	for (int i = 0; i < WRITER_SLOTS; i++)
		op->covered[i] = ledger->issued[op->file][i];
	op->nr_records = ledger->nr_issued;
	aiocb_init(&op->cb, fds[op->file], NULL, 0, 0);
	check_equal(aio_fsync(random_below(2) ? O_SYNC : O_DSYNC, &op->cb), 0);
}

static void begin(struct op *op)
{
	op->file = (enum writer_file)random_below(WRITER_FILES);
	if (random_below(16) == 0)
		begin_sync(op);
	else if (op->file == WRITER_APPEND)
		begin_append(op);
	else
		begin_write(op);
}

static void note_write(struct op *op)
{
	ledger->nr_writes++;
	if (op->file == WRITER_APPEND) {
		is_appended[op->slot] = true;
		while (ledger->nr_complete < ledger->nr_issued && is_appended[ledger->nr_complete])
			ledger->nr_complete++;
		return;
	}
	for (int i = op->slot; i < op->slot + op->nr_slots; i++) {
		ledger->complete[op->file][i] = op->version;
		if (op->file == WRITER_DSYNC)
			ledger->durable[op->file][i] = op->version;
		is_busy[op->file][i] = false;
	}
}

/* Whatever was submitted before a sync is complete when the sync is: collected or not. */
static void note_sync(struct op *op)
{
	for (int i = 0; i < NR_OPS; i++) {
		struct op *other = &ops[i];
		bool is_covered =
			other->kind == WRITE && other->file == op->file &&
			(op->file == WRITER_APPEND ? other->slot < op->nr_records
						   : other->version <= op->covered[other->slot]);

		if (is_covered && aio_error(&other->cb) == EINPROGRESS)
			note_wrong(ledger, "a sync of %s is complete before a write is",
				   names[op->file]);
	}
	ledger->nr_syncs++;
	for (int i = 0; i < WRITER_SLOTS; i++)
		if (ledger->durable[op->file][i] < op->covered[i])
			ledger->durable[op->file][i] = op->covered[i];
	if (op->file == WRITER_APPEND && ledger->nr_durable < op->nr_records)
		ledger->nr_durable = op->nr_records;
}

/* The disk is gone: then the program may end as well. */
static void end_if_disk_is_lost(struct op *op, int error)
{
	if (error != EIO && error != EROFS && error != ENODEV && error != EUCLEAN)
		note_wrong(ledger, "a %s of %s ends with %s", op->kind == SYNC ? "sync" : "write",
			   names[op->file], strerrorname_np(error));
	for (;;)
		pause();
}

static void collect(struct op *op)
{
	int error = aio_error(&op->cb);
	ssize_t size;

	if (error == EINPROGRESS)
		return;
	size = aio_return(&op->cb);
	if (error)
		end_if_disk_is_lost(op, error);
	if (size != (op->kind == SYNC ? 0 : (ssize_t)op->cb.aio_nbytes))
		note_wrong(ledger, "%zd bytes of %zu are written", size, op->cb.aio_nbytes);
	if (op->kind == SYNC)
		note_sync(op);
	else
		note_write(op);
	op->kind = IDLE;
}

static void open_files(const char *dir)
{
	char path[PATH_MAX];

	for (int i = 0; i < WRITER_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		fds[i] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags[i], 0600);
		check(fds[i] >= 0);
	}
}

_Noreturn void writer_run(const char *dir, struct writer_ledger *in, unsigned int seed)
{
	const struct aiocb *list[NR_OPS];

	ledger = in;
	state = seed;
	open_files(dir);
	for (int i = 0; i < NR_OPS; i++) {
		void *memory;

		check_equal(posix_memalign(&memory, WRITER_SLOT, SLOTS_MAX * WRITER_SLOT), 0);
		ops[i].buf = memory;
	}
	for (;;) {
		for (int i = 0; i < NR_OPS; i++) {
			if (ops[i].kind == IDLE)
				begin(&ops[i]);
			list[i] = ops[i].kind == IDLE ? NULL : &ops[i].cb;
		}
		while (aio_suspend(list, NR_OPS, NULL) < 0)
			check_equal(errno, EINTR);
		/* Syncs first: they look at what is not collected. */
		for (int kind = SYNC; kind > IDLE; kind--)
			for (int i = 0; i < NR_OPS; i++)
				if ((int)ops[i].kind == kind)
					collect(&ops[i]);
	}
}

/* ---- what is left ---- */

static bool check_slots(int fd, enum writer_file file, struct writer_ledger *in, bool has_lost_disk)
{
	unsigned char buf[WRITER_SLOT];

	for (int slot = 0; slot < WRITER_SLOTS; slot++) {
		int least = has_lost_disk ? in->durable[file][slot] : in->complete[file][slot];
		ssize_t size;

		memset(buf, 0, sizeof(buf));
		size = pread(fd, buf, sizeof(buf), (off_t)slot * WRITER_SLOT);
		if (size < 0)
			return note_wrong(in, "%s, slot %d cannot be read: %s", names[file], slot,
					  strerrorname_np(errno));
		for (int i = 0; i < WRITER_SLOT / WRITER_SECTOR; i++) {
			int version = version_of(buf + i * WRITER_SECTOR, file, slot, i);

			if (version == -1 && has_lost_disk &&
			    is_mixed(buf + i * WRITER_SECTOR, file, slot, i, least,
				     in->issued[file][slot]))
				continue;
			if (version < least || version > in->issued[file][slot])
				return note_wrong(
					in, "%s, slot %d, sector %d: version %d is not in %d to %d",
					names[file], slot, i, version, least,
					in->issued[file][slot]);
		}
	}
	return true;
}

/*
 * Records in their order, each once; behind the last that is promised anything of them may be
 * missing.
 */
static bool check_appended(int fd, struct writer_ledger *in, bool has_lost_disk)
{
	int least = has_lost_disk ? in->nr_durable : in->nr_complete;
	unsigned char buf[WRITER_SECTOR];
	int slot = 0;

	while (read(fd, buf, sizeof(buf)) == WRITER_SECTOR) {
		int version = version_of(buf, WRITER_APPEND, slot, 0);
		bool may_be_lost = has_lost_disk && slot >= least && version == 0;

		if ((version != 1 && !may_be_lost) || slot >= in->nr_issued)
			return note_wrong(in, "record %d of %d is not in its place", slot,
					  in->nr_issued);
		slot++;
	}
	if (slot < least)
		return note_wrong(in, "%d records are left, of at least %d", slot, least);
	return true;
}

bool writer_check(const char *dir, struct writer_ledger *in, bool has_lost_disk)
{
	char path[PATH_MAX];
	bool is_right = !in->is_wrong;

	for (int file = 0; file < WRITER_FILES && is_right; file++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", dir, names[file]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* A file that nobody has synced may be lost with its disk, and is then empty. */
		if (fd < 0 && has_lost_disk && errno == ENOENT)
			fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return note_wrong(in, "%s: %s", path, strerrorname_np(errno));
		is_right = file == WRITER_APPEND
				   ? check_appended(fd, in, has_lost_disk)
				   : check_slots(fd, (enum writer_file)file, in, has_lost_disk);
		close(fd);
	}
	return is_right;
}
