/* SPDX-License-Identifier: MIT */
/*
 * dispatch.h - the life of a request on the engine thread.
 *
 * Read the comment at the top of dispatch.c first.
 */
#ifndef RTAIO_DISPATCH_H
#define RTAIO_DISPATCH_H

/* Connect the layers.  Before the first request. */
void dispatch_start(void);

#endif
