// SPDX-License-Identifier: MIT
/*
 * image_core.c - the memory in a core file; the contract is in image_core.h
 *
 * Nothing in the file is trusted.  What the kernel leaves out, since no process has changed it, is
 * read from the file that was mapped there, if that begins as it did.
 */
#include "tools/image_core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/fail.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_RISCV
#endif

#define HEADERS_MAX 1000000u
#define NOTES_MAX   (256u << 20)

static bool read_at(int fd, uint64_t offset, void *buf, size_t size)
{
	return offset <= INT64_MAX && pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

/* ---- memory ---- */

static const struct mapping *mapping_of(const struct image *image, uint64_t address)
{
	for (size_t i = 0; i < image->nr_mappings; i++)
		if (address >= image->mappings[i].start && address < image->mappings[i].end)
			return &image->mappings[i];
	return NULL;
}

static bool read_segment(const struct image *image, uint64_t address, void *buf, size_t size)
{
	for (size_t i = 0; i < image->nr_segments; i++) {
		const struct segment *segment = &image->segments[i];
		uint64_t at = address - segment->address;

		if (address >= segment->address && at < segment->nbytes &&
		    size <= segment->nbytes - at)
			return read_at(image->file, segment->offset + at, buf, size);
	}
	return false;
}

/* Has the core the first bytes of the file, and are they others? */
static bool is_other_file(const struct image *image, const char *path, int fd)
{
	unsigned char ours[4096], its[4096];

	for (size_t i = 0; i < image->nr_mappings; i++) {
		const struct mapping *mapping = &image->mappings[i];

		if (mapping->offset == 0 && strcmp(mapping->path, path) == 0 &&
		    read_segment(image, mapping->start, ours, sizeof(ours)))
			return !read_at(fd, 0, its, sizeof(its)) ||
			       memcmp(ours, its, sizeof(ours)) != 0;
	}
	return false;
}

static bool read_mapped_file(const struct image *image, uint64_t address, void *buf, size_t size)
{
	const struct mapping *mapping = mapping_of(image, address);
	bool is_read = false;
	struct stat st;
	int fd;

	if (!mapping || mapping->path[0] != '/' || size > mapping->end - address)
		return false;
	fd = open(mapping->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !is_other_file(image, mapping->path, fd))
		is_read = read_at(fd, mapping->offset + (address - mapping->start), buf, size);
	close(fd);
	return is_read;
}

static bool core_read(struct image *image, uint64_t address, void *buf, size_t size)
{
	return read_segment(image, address, buf, size) ||
	       read_mapped_file(image, address, buf, size);
}

/* ---- notes ---- */

/* The names lie behind the numbers: count, size of a page, then start, end and page of each. */
static void take_mappings(struct image *image, const char *note, size_t size)
{
	uint64_t head[2], part[3];
	const char *name;
	size_t left;

	if (size < sizeof(head))
		return;
	memcpy(head, note, sizeof(head));
	if (head[0] > (size - sizeof(head)) / sizeof(part))
		return;
	name = note + sizeof(head) + head[0] * sizeof(part);
	left = size - (size_t)(name - note);
	for (uint64_t i = 0; i < head[0]; i++) {
		size_t length = strnlen(name, left);

		if (length == left)
			return;
		memcpy(part, note + sizeof(head) + i * sizeof(part), sizeof(part));
		image_add_mapping(image, (struct mapping){ part[0], part[1], part[2] * head[1],
							   text_of(name) });
		name += length + 1;
		left -= length + 1;
	}
}

static void take_process(struct image *image, const char *note, size_t size)
{
	struct elf_prpsinfo info;
	char command[sizeof(info.pr_psargs) + 1];

	if (size < sizeof(info))
		return;
	memcpy(&info, note, sizeof(info));
	snprintf(command, sizeof(command), "%.*s", (int)sizeof(info.pr_psargs), info.pr_psargs);
	image->pid = image->inner_pid = info.pr_pid;
	image->command = text_of(command);
}

static void take_thread(struct image *image, const char *note, size_t size)
{
	struct elf_prstatus status;
	size_t nr = image->nr_tids;

	if (size < sizeof(status))
		return;
	memcpy(&status, note, sizeof(status));
	if ((nr & (nr - 1)) == 0)
		image->tids = grow(image->tids, (nr ? 2 * nr : 1) * sizeof(*image->tids));
	image->tids[image->nr_tids++] = status.pr_pid;
}

static void take_note(struct image *image, const Elf64_Nhdr *head, const char *name,
		      const char *note)
{
	if (head->n_namesz != sizeof("CORE") || memcmp(name, "CORE", sizeof("CORE")) != 0)
		return;
	if (head->n_type == NT_FILE)
		take_mappings(image, note, head->n_descsz);
	else if (head->n_type == NT_PRPSINFO)
		take_process(image, note, head->n_descsz);
	else if (head->n_type == NT_PRSTATUS)
		take_thread(image, note, head->n_descsz);
}

static void take_notes(struct image *image, const Elf64_Phdr *header)
{
	size_t size = header->p_filesz, at = 0;
	Elf64_Nhdr head;
	char *notes;

	if (size > NOTES_MAX)
		return;
	notes = make(size, 1);
	if (!read_at(image->file, header->p_offset, notes, size))
		fail("%s: the core file is not complete", image->title);
	while (size - at >= sizeof(head)) {
		size_t name, note, next;

		memcpy(&head, notes + at, sizeof(head));
		name = at + sizeof(head);
		note = name + ((head.n_namesz + (size_t)3) & ~(size_t)3);
		next = note + ((head.n_descsz + (size_t)3) & ~(size_t)3);
		if (next > size)
			return;
		take_note(image, &head, notes + name, notes + note);
		at = next;
	}
}

/* ---- headers ---- */

static uint32_t nr_headers(const struct image *image, const Elf64_Ehdr *elf)
{
	Elf64_Shdr section;

	if (elf->e_phnum != PN_XNUM)
		return elf->e_phnum;
	if (!read_at(image->file, elf->e_shoff, &section, sizeof(section)))
		return 0;
	return section.sh_info < HEADERS_MAX ? section.sh_info : HEADERS_MAX;
}

static void take_headers(struct image *image, const Elf64_Ehdr *elf)
{
	uint32_t nr = nr_headers(image, elf);
	Elf64_Phdr header;

	image->segments = make(nr, sizeof(*image->segments));
	for (uint32_t i = 0; i < nr; i++) {
		if (!read_at(image->file, elf->e_phoff + i * sizeof(header), &header,
			     sizeof(header)))
			fail("%s: the core file is not complete", image->title);
		if (header.p_type == PT_NOTE)
			take_notes(image, &header);
		else if (header.p_type == PT_LOAD)
			image->segments[image->nr_segments++] =
				(struct segment){ header.p_vaddr, header.p_filesz,
						  header.p_offset };
	}
}

struct image *image_of_core(const char *path)
{
	struct image *image = make(1, sizeof(*image));
	Elf64_Ehdr elf;
	struct stat st;

	image->title = text_of(path);
	image->is_core = true;
	image->read = core_read;
	image->command = text_of("");
	image->file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (image->file < 0 || fstat(image->file, &st) < 0)
		fail("%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !read_at(image->file, 0, &elf, sizeof(elf)) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_type != ET_CORE)
		fail("%s is neither a process nor a core file", path);
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf.e_machine != MACHINE || elf.e_phentsize != sizeof(Elf64_Phdr))
		fail("%s is a core file of another kind of processor", path);
	take_headers(image, &elf);
	return image;
}
