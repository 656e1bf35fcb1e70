// SPDX-License-Identifier: MIT
/*
 * librt_stub.c - has the names of an old librt.so.1, to link old_librt.c with
 *
 * The functions do nothing: the loader never finds this library, only the
 * linker does.
 */
void aio_error(void);
void aio_read(void);
void aio_return(void);
void aio_suspend(void);
void new_lio_listio(void);
void old_lio_listio(void);
void timer_create(void);
void timer_delete(void);
void mq_open(void);
void __mq_open_2(void);

void aio_error(void)
{
}

void aio_read(void)
{
}

void aio_return(void)
{
}

void aio_suspend(void)
{
}

/* The version with two @ is the one new links get. */
__asm__(".symver new_lio_listio, lio_listio@@GLIBC_2.4");
void new_lio_listio(void)
{
}

__asm__(".symver old_lio_listio, lio_listio@GLIBC_2.2.5");
void old_lio_listio(void)
{
}

void timer_create(void)
{
}

void timer_delete(void)
{
}

void mq_open(void)
{
}

void __mq_open_2(void)
{
}
