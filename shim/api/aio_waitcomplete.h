/* SPDX-License-Identifier: MIT */
/*
 * aio_waitcomplete.h - what aio_waitcomplete() wants to know of submissions.
 */
#ifndef RTAIO_AIO_WAITCOMPLETE_H
#define RTAIO_AIO_WAITCOMPLETE_H

/* [submitter] A request has entered the direct lane: its event needs a thread at the event ring. */
void aio_waitcomplete_note_direct(void);

#endif
