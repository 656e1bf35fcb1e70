// SPDX-License-Identifier: MIT
/*
 * image.c - memory by its address; the contract is in image.h
 */
#include "tools/image.h"

#include "tools/fail.h"

bool image_read(struct image *image, uint64_t address, void *buf, size_t size)
{
	if (address + size < address || address > INT64_MAX)
		return false;
	return image->read(image, address, buf, size);
}

void image_read_text(struct image *image, uint64_t address, char *buf, size_t size)
{
	size_t i = 0;

	while (i < size - 1 && image_read(image, address + i, &buf[i], 1) && buf[i] > ' ' &&
	       buf[i] <= '~')
		i++;
	buf[i] = '\0';
}

void image_add_mapping(struct image *image, struct mapping mapping)
{
	size_t nr = image->nr_mappings;

	if ((nr & (nr - 1)) == 0)
		image->mappings =
			grow(image->mappings, (nr ? 2 * nr : 1) * sizeof(*image->mappings));
	image->mappings[image->nr_mappings++] = mapping;
}
