/* SPDX-License-Identifier: MIT */
/*
 * probes.h - static probes for perf, bpftrace and SystemTap.
 *
 * A probe that is not watched is one nop.  The observer, if there is one (observer.h), sees the
 * last two as well.  Probes need <sys/sdt.h> at build time (systemtap-sdt-dev).
 *
 *   rtaio:submit    aiocb, descriptor, opcode (enum request_op), bytes, offset
 *   rtaio:issue     aiocb, lane (enum probe_lane)
 *   rtaio:complete  aiocb, result or -errno
 */
#ifndef RTAIO_PROBES_H
#define RTAIO_PROBES_H

#include "base/observer.h"

enum probe_lane {
	PROBE_INLINE = 1,
	PROBE_DIRECT,
	PROBE_COPIER,
	PROBE_OFFLOAD,
	PROBE_RING,   /* the engine, to io_uring */
	PROBE_WORKER, /* the engine, to a worker */
	PROBE_ENGINE, /* the engine's thread itself, without waiting */
};

#ifdef RTAIO_HAS_SDT /* the Makefile has found the header */
#include <sys/sdt.h>

#define PROBE_SUBMIT(cb, fd, op, nbytes, offset) \
	DTRACE_PROBE5(rtaio, submit, cb, fd, op, nbytes, offset)
#define SDT_ISSUE(cb, lane)   DTRACE_PROBE2(rtaio, issue, cb, lane)
#define SDT_COMPLETE(cb, res) DTRACE_PROBE2(rtaio, complete, cb, res)
#else
#define PROBE_SUBMIT(cb, fd, op, nbytes, offset) ((void)0)
#define SDT_ISSUE(cb, lane)                      ((void)0)
#define SDT_COMPLETE(cb, res)                    ((void)0)
#endif

#define PROBE_ISSUE(cb, lane)              \
	do {                               \
		SDT_ISSUE(cb, lane);       \
		OBSERVE(issued, cb, lane); \
	} while (0)

#define PROBE_COMPLETE(cb, res)              \
	do {                                 \
		SDT_COMPLETE(cb, res);       \
		OBSERVE(completed, cb, res); \
	} while (0)

#endif
