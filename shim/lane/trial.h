/* SPDX-License-Identifier: MIT */
/*
 * trial.h - which lane is faster, direct or engine, while many requests are in flight
 *
 * io_submit gives each request to the device at once.  The engine gives it several by one call, which
 * costs less, but the first of them waits for the last.  Which lane is faster depends on the machine,
 * the device, the depth and the direction, and may change.  So each lane serves some requests in
 * turn, and the faster one serves the next ones.
 *
 * If a descriptor is closed, the next file with its number keeps what was found until the next trial.
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
