/* SPDX-License-Identifier: MIT */
/*
 * check_trace.h - the frames of the calling thread.
 *
 * The unwinder of libgcc_s gives each frame's return address and where it lies on the stack.  So a
 * frame can be recognised later: as long as its function runs, a frame with the same end and the
 * same return address is on the stack.  Frames are compared only if the whole stack was seen both
 * times, and only on the same stack: a coroutine's frames are not those of its thread.
 */
#ifndef RTAIO_CHECK_TRACE_H
#define RTAIO_CHECK_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_MAX  16
#define FRAMES_MAX 64

/* Where a call came from: addresses in the program, the newest first. */
struct trace {
	unsigned nr;
	void *address[TRACE_MAX];
};

struct frame {
	uintptr_t address; /* where it goes on */
	uintptr_t start;   /* its lowest byte; the next frame's start is its end */
	bool is_interrupted;
};

struct frames {
	unsigned nr;
	unsigned first; /* the newest one of the program itself */
	bool is_whole;  /* the last is the oldest of its stack */
	struct frame frame[FRAMES_MAX];
};

/* One call of a function, which has a frame; end 0: none. */
struct activation {
	uintptr_t end;
	uintptr_t return_address;
};

/* Which object is ours, so that its frames are left out: the one that has this address. */
void trace_leave_out(const void *address);

void frames_take(struct frames *frames);
void frames_to_trace(const struct frames *frames, struct trace *trace);

/* The oldest frame of a whole stack, which names the stack; else 0. */
uintptr_t frames_root(const struct frames *frames);

/* Does the root's stack belong to the calling thread, which ends with it? */
bool frames_are_of_thread(const struct frames *frames);

/* The frame of the program that has this address. */
struct activation frames_find(const struct frames *frames, const volatile void *address);

/* Only for a whole stack. */
bool frames_have(const struct frames *frames, const struct activation *activation);

/* Does a signal handler run that interrupted a function which is not async-signal-safe? */
bool frames_interrupt_unsafe(const struct frames *frames);

/* First use in this process. */
void trace_start(void);

/* Lines "    #0 function+0x12 (file+0xoffset)".  Returns how many bytes of @text are used. */
size_t trace_print(const struct trace *trace, char *text, size_t size);

/* The same for one address, without number. */
size_t trace_print_address(const void *address, char *text, size_t size);

#endif
