// SPDX-License-Identifier: MIT
/*
 * static.c - a part of librtaio.a alone: programs that are linked with -static do not link.
 *
 * The hooks pass each call on to libc's function of the same name, which dlsym finds.  It finds
 * none in a static program, which would crash at its first close.  libc.so has the function below
 * for the programs of old, and libc.a lacks it.
 */
typedef void any_function(void);

extern any_function __xmknod;

__attribute__((used)) static any_function *librtaio_does_not_work_with_static(void)
{
	return __xmknod;
}
