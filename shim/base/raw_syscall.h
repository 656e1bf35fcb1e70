/* SPDX-License-Identifier: MIT */
/*
 * raw_syscall.h - system calls that no other library sees, and that leave errno alone.
 *
 * The program or another preloaded library may define syscall, mmap, madvise or prctl.
 * glibc's AIO never calls those, and they may not be fit for our threads and for handlers.
 * For processors whose instruction is not given here, and for an analyser, syscall() has to do.
 */
#ifndef RTAIO_RAW_SYSCALL_H
#define RTAIO_RAW_SYSCALL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static inline long raw_syscall(long nr, long arg1, long arg2, long arg3, long arg4, long arg5,
			       long arg6)
{
#if defined(__x86_64__) && !defined(__clang_analyzer__)
	register long r10 __asm__("r10") = arg4;
	register long r8 __asm__("r8") = arg5;
	register long r9 __asm__("r9") = arg6;

	__asm__ volatile("syscall"
			 : "+a"(nr)
			 : "D"(arg1), "S"(arg2), "d"(arg3), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return nr;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = arg1;
	register long x1 __asm__("x1") = arg2;
	register long x2 __asm__("x2") = arg3;
	register long x3 __asm__("x3") = arg4;
	register long x4 __asm__("x4") = arg5;
	register long x5 __asm__("x5") = arg6;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8)
			 : "memory");
	return x0;
#elif defined(__riscv)
	register long a7 __asm__("a7") = nr;
	register long a0 __asm__("a0") = arg1;
	register long a1 __asm__("a1") = arg2;
	register long a2 __asm__("a2") = arg3;
	register long a3 __asm__("a3") = arg4;
	register long a4 __asm__("a4") = arg5;
	register long a5 __asm__("a5") = arg6;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return a0;
#else
	int saved = errno;

	nr = syscall(nr, arg1, arg2, arg3, arg4, arg5, arg6);
	if (nr == -1)
		nr = -errno;
	errno = saved;
	return nr;
#endif
}

/* The number of the call and up to six integers or pointers.  Returns the result or -errno. */
#define RAW_SYSCALL(...) RAW_SYSCALL_OF(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define RAW_SYSCALL_OF(nr, arg1, arg2, arg3, arg4, arg5, arg6, ...)                             \
	raw_syscall((nr), (long)(arg1), (long)(arg2), (long)(arg3), (long)(arg4), (long)(arg5), \
		    (long)(arg6))

/* For calls that return addresses. */
static inline int raw_is_error(long ret)
{
	return ret < 0 && ret > -4096;
}

#endif
