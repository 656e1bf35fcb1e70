/* SPDX-License-Identifier: MIT */
/*
 * valgrind.h - does the program run under valgrind?
 *
 * Valgrind holds its lock while a thread is in io_uring_enter, so that no other thread runs.
 * And memcheck does not see what the kernel writes later, for io_uring or Linux AIO: it takes
 * that memory for uninitialised.  So workers make plain calls there.
 */
#ifndef RTAIO_VALGRIND_H
#define RTAIO_VALGRIND_H

#include <stdbool.h>

/*
 * Valgrind's client request: instructions that do nothing elsewhere.  False on riscv64, for which
 * few valgrinds exist.
 */
static inline bool valgrind_is_here(void)
{
	const unsigned long question[6] = { 0x1001 }; /* RUNNING_ON_VALGRIND, no arguments */
	unsigned long answer = 0;

#if defined(__x86_64__)
	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(question)
			 : "cc", "memory");
#elif defined(__aarch64__)
	register unsigned long x3 __asm__("x3") = 0;
	register const void *x4 __asm__("x4") = question;

	__asm__ volatile("ror x12, x12, #3\n\tror x12, x12, #13\n\t"
			 "ror x12, x12, #51\n\tror x12, x12, #61\n\t"
			 "orr x10, x10, x10"
			 : "+r"(x3)
			 : "r"(x4)
			 : "cc", "memory");
	answer = x3;
#else
	(void)question;
#endif
	return answer != 0;
}

#endif
