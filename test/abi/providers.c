// SPDX-License-Identifier: MIT
/*
 * providers.c - prints which object provides each AIO function to this program
 *
 * A program finds aio_read in one of several ways: it was linked against the
 * present glibc, against an older one, or it asks dlsym or dlvsym.  Each line
 * is "<way> <name>@<version> <path of the object>".
 */
#include <aio.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES(X)         \
	X(aio_cancel)    \
	X(aio_cancel64)  \
	X(aio_error)     \
	X(aio_error64)   \
	X(aio_fsync)     \
	X(aio_fsync64)   \
	X(aio_init)      \
	X(aio_read)      \
	X(aio_read64)    \
	X(aio_return)    \
	X(aio_return64)  \
	X(aio_suspend)   \
	X(aio_suspend64) \
	X(aio_write)     \
	X(aio_write64)   \
	X(lio_listio)    \
	X(lio_listio64)

#define LIST_NAMES(X) \
	X(lio_listio) \
	X(lio_listio64)

/* References as a linker of that time would have made them. */
#define REFERENCE_OLD(name)    \
	void old_##name(void); \
	__asm__(".symver old_" #name ", " #name "@GLIBC_2.2.5");
#define REFERENCE_MIDDLE(name)    \
	void middle_##name(void); \
	__asm__(".symver middle_" #name ", " #name "@GLIBC_2.4");
#define REFERENCE_NEW(name)    \
	void new_##name(void); \
	__asm__(".symver new_" #name ", " #name "@GLIBC_2.34");

NAMES(REFERENCE_OLD)
LIST_NAMES(REFERENCE_MIDDLE)
NAMES(REFERENCE_NEW)

static void print_provider(const char *way, const char *name, const char *version, void *address)
{
	Dl_info info;

	if (!address || !dladdr(address, &info)) {
		printf("%s %s@%s nobody\n", way, name, version);
		return;
	}
	printf("%s %s@%s %s\n", way, name, version, info.dli_fname);
}

#define LINKED_OLD(name)    print_provider("linked", #name, "GLIBC_2.2.5", (void *)old_##name);
#define LINKED_MIDDLE(name) print_provider("linked", #name, "GLIBC_2.4", (void *)middle_##name);
#define LINKED_NEW(name)    print_provider("linked", #name, "GLIBC_2.34", (void *)new_##name);
#define PLAIN(name)         print_provider("dlsym", #name, "default", dlsym(RTLD_DEFAULT, #name));
#define VERSIONED_OLD(name) \
	print_provider("dlvsym", #name, "GLIBC_2.2.5", dlvsym(RTLD_DEFAULT, #name, "GLIBC_2.2.5"));
#define VERSIONED_MIDDLE(name) \
	print_provider("dlvsym", #name, "GLIBC_2.4", dlvsym(RTLD_DEFAULT, #name, "GLIBC_2.4"));
#define VERSIONED_NEW(name) \
	print_provider("dlvsym", #name, "GLIBC_2.34", dlvsym(RTLD_DEFAULT, #name, "GLIBC_2.34"));

int main(void)
{
	NAMES(LINKED_OLD)
	LIST_NAMES(LINKED_MIDDLE)
	NAMES(LINKED_NEW)
	NAMES(PLAIN)
	NAMES(VERSIONED_OLD)
	LIST_NAMES(VERSIONED_MIDDLE)
	NAMES(VERSIONED_NEW)
	/* The two meanings of lio_listio must not share an address. */
	printf("meanings lio_listio %s\n",
	       (void *)old_lio_listio == (void *)middle_lio_listio ? "same" : "different");
	return EXIT_SUCCESS;
}
