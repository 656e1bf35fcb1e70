/* SPDX-License-Identifier: MIT */
/*
 * symver.h - exporting a function under glibc's own versions.
 *
 * LP64_NAMES(impl, name) exports @impl as name and name64 at every version that glibc's librt
 * or libc ever gave them.  The maps librtaio-*.map must list each.  NEXT_PROVIDER() finds the
 * function that a hook replaces.
 */
#ifndef RTAIO_SYMVER_H
#define RTAIO_SYMVER_H

#define EXPORT __attribute__((visibility("default")))

#if defined(__x86_64__)
#define GLIBC_BASE "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define GLIBC_BASE "GLIBC_2.17"
#elif defined(__riscv)
#define GLIBC_BASE "GLIBC_2.27"
#endif
#define GLIBC_LIBC "GLIBC_2.34" /* moved librt into libc */

/*
 * @at is "@" for a version of old binaries, "@@" for the default.  GCC needs its attribute,
 * since link-time optimisation may move a function away from assembler text that names it.
 * Clang, which has no such attribute, reads the text.  GCC 10 takes one version of a function only.
 */
#if defined(__has_attribute) && (!defined(__GNUC__) || __GNUC__ > 10)
#if __has_attribute(symver)
#define SYMVER(impl, name, at, node) \
	extern __typeof__(impl) impl __attribute__((symver(#name at node)))
#endif
#endif
#ifndef SYMVER
#define SYMVER(impl, name, at, node) __asm__(".symver " #impl "," #name at node)
#endif

#define LP64_NAMES(impl, name)                   \
	SYMVER(impl, name, "@", GLIBC_BASE);     \
	SYMVER(impl, name##64, "@", GLIBC_BASE); \
	SYMVER(impl, name, "@@", GLIBC_LIBC);    \
	SYMVER(impl, name##64, "@@", GLIBC_LIBC)

/* Needs <dlfcn.h>.  ISO C has no cast from void * to a function, so it goes by uintptr_t. */
#define NEXT_PROVIDER(function, name) ((__typeof__(*(function)) *)(uintptr_t)dlsym(RTLD_NEXT, name))

#endif
