/* SPDX-License-Identifier: MIT */
/*
 * execute.h - run a program and judge it
 */
#ifndef RTAIO_FUZZ_EXECUTE_H
#define RTAIO_FUZZ_EXECUTE_H

#include "program.h"

/* Once in a process. */
void execute_init(void);

/* What went wrong is in the report. */
void execute(const struct program *program);

#endif
