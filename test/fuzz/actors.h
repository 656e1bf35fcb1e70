/* SPDX-License-Identifier: MIT */
/*
 * actors.h - the other actors that run a step: two threads and a handler
 *
 * Steps are handed over in order and run whenever they come to it. The handler
 * runs in the main thread, at a moment that a third thread chooses.
 */
#ifndef RTAIO_FUZZ_ACTORS_H
#define RTAIO_FUZZ_ACTORS_H

#include "program.h"

/* Once in a process, and again in the child of a fork. @run runs the step with this index. */
void actors_init(void (*run)(int index));

void actors_hand_over(int actor, int index);
bool actors_are_idle(void);

/* Wait until all that was handed over is done. */
void actors_join(void);

/*
 * Make the process that BY_PROCESS stands for, where @run runs what is handed over. Without it,
 * nothing is.
 */
void actors_fork(void (*run)(int index));

/* Hand over the last, which exits, and wait for that. */
void actors_end_process(int index);

#endif
