/* SPDX-License-Identifier: MIT */
/*
 * calls.h - the functions of POSIX AIO as a table, and a detour that the program's calls may take.
 *
 * Three tables exist: the library's own functions, those of the next provider (next_aio.h), and
 * those of an observer (observe.h), which calls one of the other two.
 */
#ifndef RTAIO_CALLS_H
#define RTAIO_CALLS_H

#include <aio.h>
#include <stdatomic.h>
#include <stddef.h>

struct aio_calls {
	int (*aio_read)(struct aiocb *cb);
	int (*aio_write)(struct aiocb *cb);
	int (*aio_readv)(struct aiocb *cb);
	int (*aio_writev)(struct aiocb *cb);
	int (*aio_fsync)(int op, struct aiocb *cb);
	int (*aio_error)(const struct aiocb *cb);
	ssize_t (*aio_return)(struct aiocb *cb);
	int (*aio_suspend)(const struct aiocb *const list[], int nent,
			   const struct timespec *timeout);
	int (*aio_cancel)(int fd, struct aiocb *cb);
	int (*lio_listio)(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
	int (*lio_listio_old)(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
	void (*aio_init)(const struct aioinit *init);
};

/* What the exported functions do when there is no detour.  Only valid after entry_enter(). */
int own_aio_read(struct aiocb *cb);
int own_aio_write(struct aiocb *cb);
int own_aio_readv(struct aiocb *cb);
int own_aio_writev(struct aiocb *cb);
int own_aio_fsync(int op, struct aiocb *cb);
int own_aio_error(const struct aiocb *cb);
ssize_t own_aio_return(struct aiocb *cb);
int own_aio_suspend(const struct aiocb *const list[], int nent, const struct timespec *timeout);
int own_aio_cancel(int fd, struct aiocb *cb);
int own_lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
int own_lio_listio_old(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
void own_aio_init(const struct aioinit *init);

/*
 * NULL: none.  Set when the library is loaded, or at the first use; another thread may call
 * aio_error meanwhile.
 */
extern _Atomic(const struct aio_calls *) calls_detour;

static inline const struct aio_calls *calls_find_detour(void)
{
	const struct aio_calls *detour = atomic_load_explicit(&calls_detour, memory_order_acquire);

	return __builtin_expect(detour != NULL, 0) ? detour : NULL;
}

#endif
