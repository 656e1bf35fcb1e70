/* SPDX-License-Identifier: MIT */
/*
 * bind_now.h - functions of libc that are bound when the library is loaded.
 *
 * The Makefile includes this file first in every source file.  Other functions are bound at
 * their first call: to look up some seventy names takes as long as loading the library, and
 * most programs never use AIO.  The functions here may be called in signal handlers and by
 * the hooks, perhaps in a child of vfork or on a minimal alternative stack.  Late binding
 * takes no lock there, but some kilobytes of stack.  If the compiler lacks the attribute,
 * the Makefile has all functions bound at load.
 */
#ifndef RTAIO_BIND_NOW_H
#define RTAIO_BIND_NOW_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__has_attribute)
#if __has_attribute(noplt)
#define BIND_NOW(function) extern __typeof__(function) function __attribute__((noplt))

BIND_NOW(__errno_location);
BIND_NOW(fileno_unlocked);
BIND_NOW(pthread_setcanceltype);
BIND_NOW(pthread_testcancel);

#undef BIND_NOW
#endif
#endif

#endif
