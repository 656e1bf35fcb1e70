// SPDX-License-Identifier: MIT
/*
 * librt_nodes.c - version nodes that binaries older than glibc 2.34 ask librt.so.1 for.
 *
 * Only in librt.so.1.  A node needs a symbol, or the linker makes it weak and
 * the loader refuses the program; glibc's own librt since 2.34 does the same.
 */
#include "abi.h"

#if defined(__x86_64__)
EXPORT void rtaio_node_2_3_3(void);
EXPORT void rtaio_node_2_3_4(void);
EXPORT void rtaio_node_2_7(void);

void rtaio_node_2_3_3(void)
{
}

void rtaio_node_2_3_4(void)
{
}

void rtaio_node_2_7(void)
{
}

SYMVER(rtaio_node_2_3_3, __librt_version_placeholder, "@", "GLIBC_2.3.3");
SYMVER(rtaio_node_2_3_4, __librt_version_placeholder, "@", "GLIBC_2.3.4");
SYMVER(rtaio_node_2_7, __librt_version_placeholder, "@", "GLIBC_2.7");
#endif
