// SPDX-License-Identifier: MIT
/*
 * observer.c - who observes, and the reason that a lane noted last.
 */
#include "base/observer.h"

const struct observer *observer;

_Thread_local uint8_t refusal_last;
