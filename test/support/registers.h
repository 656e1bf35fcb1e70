/* SPDX-License-Identifier: MIT */
/*
 * registers.h - the registers of a system call that a filter has turned into SIGSYS
 */
#ifndef TEST_REGISTERS_H
#define TEST_REGISTERS_H

#include <ucontext.h>

/* Argument @i, from 0. */
static inline long call_argument(const ucontext_t *context, int i)
{
#if defined(__x86_64__)
	static const int registers[] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };

	return context->uc_mcontext.gregs[registers[i]];
#elif defined(__aarch64__)
	return (long)context->uc_mcontext.regs[i];
#elif defined(__riscv)
	return (long)context->uc_mcontext.__gregs[REG_A0 + i];
#endif
}

static inline void set_call_result(ucontext_t *context, long result)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long)result;
#elif defined(__riscv)
	context->uc_mcontext.__gregs[REG_A0] = (unsigned long)result;
#endif
}

#endif
