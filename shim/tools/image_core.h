/* SPDX-License-Identifier: MIT */
/*
 * image_core.h - the memory in a core file
 */
#ifndef RTAIO_IMAGE_CORE_H
#define RTAIO_IMAGE_CORE_H

#include "tools/image.h"

/* Does not return if it is none. */
struct image *image_of_core(const char *path);

#endif
