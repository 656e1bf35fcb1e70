// SPDX-License-Identifier: MIT
/*
 * dump_find.c - the library in a process or core file; the contract is in dump_find.h
 *
 * Any file that was mapped may have the note: the library, its librt.so.1, or a program that was
 * linked with its archive.
 */
#include "tools/dump_find.h"

#include <elf.h>
#include <string.h>

#include "base/config.h"
#include "base/process.h"
#include "tools/fail.h"

#define HEADERS_MAX 64
#define NOTES_MAX   4096

/* The address that the note leads to; 0: it is not there. */
static uint64_t root_by_notes(const unsigned char *notes, size_t size, uint64_t address)
{
	Elf64_Nhdr head;
	size_t at = 0;

	while (size - at >= sizeof(head)) {
		size_t name, note, next;
		int32_t distance;

		memcpy(&head, notes + at, sizeof(head));
		name = at + sizeof(head);
		note = name + ((head.n_namesz + (size_t)3) & ~(size_t)3);
		next = note + ((head.n_descsz + (size_t)3) & ~(size_t)3);
		if (next > size)
			return 0;
		if (head.n_namesz == sizeof(DUMP_OWNER) && head.n_type == DUMP_NOTE_TYPE &&
		    head.n_descsz == sizeof(distance) &&
		    memcmp(notes + name, DUMP_OWNER, sizeof(DUMP_OWNER)) == 0) {
			memcpy(&distance, notes + note, sizeof(distance));
			return address + note + (uint64_t)(int64_t)distance;
		}
		at = next;
	}
	return 0;
}

static uint64_t root_by_headers(struct image *image, uint64_t start, const Elf64_Phdr *headers,
				unsigned nr)
{
	unsigned char notes[NOTES_MAX];
	uint64_t bias = start, root = 0;

	for (unsigned i = 0; i < nr; i++)
		if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0)
			bias = start - headers[i].p_vaddr;
	for (unsigned i = 0; i < nr && !root; i++)
		if (headers[i].p_type == PT_NOTE && headers[i].p_filesz <= sizeof(notes) &&
		    image_read(image, bias + headers[i].p_vaddr, notes, headers[i].p_filesz))
			root = root_by_notes(notes, headers[i].p_filesz, bias + headers[i].p_vaddr);
	return root;
}

/* 0: what begins at @start is no ELF file with the note. */
static uint64_t root_in(struct image *image, uint64_t start)
{
	Elf64_Phdr headers[HEADERS_MAX];
	Elf64_Ehdr elf;

	if (!image_read(image, start, &elf, sizeof(elf)) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_phentsize != sizeof(*headers) || elf.e_phnum > HEADERS_MAX ||
	    !image_read(image, start + elf.e_phoff, headers, elf.e_phnum * sizeof(*headers)))
		return 0;
	return root_by_headers(image, start, headers, elf.e_phnum);
}

static bool is_sound(const struct dump_records *records)
{
	if (records->record_size < 64 || records->record_size > 65536 || records->nr_chunks > 30 ||
	    records->first_bits > 16 || records->nr_chunks + records->first_bits > 31)
		return false;
	for (unsigned i = 0; i < DUMP_NR_MEMBERS; i++)
		if (records->members[i].size > 8 ||
		    records->members[i].offset + records->members[i].size > records->record_size)
			return false;
	return true;
}

/* Of an older library some members are missing: they are zero. */
static bool read_records(struct image *image, struct library *library)
{
	struct dump_records *records = &library->records;
	uint64_t address = (uintptr_t)library->root.records;
	size_t head = offsetof(struct dump_records, members), nr;

	if (!image_read(image, address, records, head))
		return false;
	nr = records->nr_members < DUMP_NR_MEMBERS ? records->nr_members : DUMP_NR_MEMBERS;
	return image_read(image, address + head, records->members,
			  nr * sizeof(*records->members)) &&
	       is_sound(records);
}

static void read_state(struct image *image, struct library *library)
{
	const struct dump_root *root = &library->root;
	uint64_t word;
	uint32_t state;
	int pid;

	library->is_used = image_read(image, (uintptr_t)root->process_word, &word, sizeof(word)) &&
			   image_read(image, word, &state, sizeof(state)) &&
			   image_read(image, (uintptr_t)root->process_pid, &pid, sizeof(pid)) &&
			   state == PROCESS_READY && (image->is_core || pid == image->inner_pid);
	image_read(image, (uintptr_t)root->backend, &library->asked, sizeof(library->asked));
}

/* NULL: there is no root.  Does not return if it cannot be understood. */
static struct library *library_at(struct image *image, uint64_t address, const char *path)
{
	struct library *library = make(1, sizeof(*library));
	struct dump_root *root = &library->root;
	size_t head = offsetof(struct dump_root, self) + sizeof(root->self);

	if (!image_read(image, address, root, head) ||
	    memcmp(root->magic, DUMP_MAGIC, sizeof(root->magic)) != 0 ||
	    (uintptr_t)root->self != address)
		return NULL;
	root->version[sizeof(root->version) - 1] = '\0';
	if (root->layout != DUMP_LAYOUT)
		fail("%s has rtaio %s, and this is the program of %s, which cannot read it",
		     image->title, root->version, RTAIO_VERSION);
	library->path = path;
	if (!image_read(image, address, root,
			root->size < sizeof(*root) ? root->size : sizeof(*root)) ||
	    !read_records(image, library) ||
	    !image_read(image, (uintptr_t)root->engine, &library->engine, sizeof(library->engine)))
		fail("%s: the data of rtaio %s are damaged or not there", image->title,
		     root->version);
	root->version[sizeof(root->version) - 1] = '\0';
	read_state(image, library);
	return library;
}

/* Two may be there, one of which serves. */
static struct library *best(struct image *image)
{
	struct library *found = NULL;

	for (size_t i = 0; i < image->nr_mappings; i++) {
		const struct mapping *mapping = &image->mappings[i];
		struct library *library = NULL;
		uint64_t root;

		if (mapping->offset != 0 || mapping->path[0] != '/')
			continue;
		root = root_in(image, mapping->start);
		if (root)
			library = library_at(image, root, mapping->path);
		if (library && (!found || library->is_used))
			found = library;
		if (found && found->is_used)
			break;
	}
	return found;
}

static const char *unreadable_path(const struct image *image)
{
	for (size_t i = 0; i < image->nr_mappings; i++)
		if (strstr(image->mappings[i].path, "/librtaio.so"))
			return image->mappings[i].path;
	return NULL;
}

static _Noreturn void miss(const struct image *image)
{
	const char *path = image->is_core ? unreadable_path(image) : NULL;

	if (path)
		fail("%s: the core file lacks the data of %s", image->title, path);
	if (image->is_core)
		fail("%s: the process had not loaded rtaio", image->title);
	fail("%s has not loaded rtaio", image->title);
}

static void check_use(const struct image *image, const struct library *library)
{
	if (library->asked == BACKEND_GLIBC)
		fail("%s has rtaio %s switched off: glibc serves its requests", image->title,
		     library->root.version);
	if (!library->is_used)
		fail("%s has loaded rtaio %s, but not used asynchronous I/O%s", image->title,
		     library->root.version, image->is_core ? "" : " since its start or fork");
}

struct library *dump_find(struct image *image)
{
	struct library *library = best(image);

	if (library)
		check_use(image, library);
	else
		miss(image);
	return library;
}
