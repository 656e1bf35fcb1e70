/* SPDX-License-Identifier: MIT */
/*
 * trial.h - which lane is faster, direct or engine, while many requests are in flight
 *
 * io_submit gives each request to the device at once.  The engine gives it several by one call,
 * which other requests wait for.  What is faster depends on the machine, the device, the depth and
 * the direction, and may change.  So both lanes serve some requests one after the other, and the
 * faster one serves the next ones.
 */
#ifndef RTAIO_TRIAL_H
#define RTAIO_TRIAL_H

#include <stdbool.h>

/*
 * [submitter] Should the engine have this request of @class (fd_hints.h)?  Call it once for each
 * request that Linux AIO could have.
 */
bool trial_prefers_engine(unsigned class);

#endif
