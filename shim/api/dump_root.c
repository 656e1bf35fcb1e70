// SPDX-License-Identifier: MIT
/*
 * dump_root.c - the root of what rtaio dump reads, and the note that leads to it
 *
 * The linker puts notes into the first page, which is in every core file.  Assembler text names the
 * root, so the compiler must not move this away (the Makefile switches link-time optimization off).
 */
#include "base/dump_root.h"

#include <stddef.h>

#include "base/config.h"
#include "base/process.h"
#include "engine/engine.h"
#include "order/fdqueue.h"
#include "request/request.h"

_Static_assert(sizeof(RTAIO_VERSION) <= sizeof(((struct dump_root *)0)->version), "");

__attribute__((used)) static const struct dump_root dump_root = {
	.magic = DUMP_MAGIC,
	.layout = DUMP_LAYOUT,
	.size = sizeof(dump_root),
	.version = RTAIO_VERSION,
	.self = &dump_root,
	.records = &request_dump,
	.engine = &engine_dump,
	.process_word = &process_word,
	.process_pid = &process_pid,
	.backend = &config.backend,
	.queue_detached = { offsetof(struct fdqueue, detached),
			    sizeof(((struct fdqueue *)0)->detached) },
};

_Static_assert(sizeof(DUMP_OWNER) == 6 && DUMP_NOTE_TYPE == 1, "as below");

/* Sizes of the owner and of the descriptor, and the type; both are padded to 4 bytes. */
__asm__(".pushsection .note.rtaio, \"a\", %note\n"
	".balign 4\n"
	".long 6, 4, 1\n"
	".asciz \"" DUMP_OWNER "\"\n"
	".balign 4\n"
	".long dump_root - .\n"
	".popsection\n");
