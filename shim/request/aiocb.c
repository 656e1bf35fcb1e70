// SPDX-License-Identifier: MIT
/*
 * aiocb.c - the private bytes of the program's struct aiocb.
 */
#include "request/aiocb.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "rtaio.h"

#if !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__) || defined(__riscv))
#error "rtaio supports 64-bit x86-64, aarch64 and riscv64 Linux only"
#endif

_Static_assert(sizeof(struct aiocb) == 168, "struct aiocb is not glibc's");
_Static_assert(offsetof(struct aiocb, __error_code) == 112, "error_code has moved");
_Static_assert(offsetof(struct aiocb, __return_value) == 120, "return_value has moved");
_Static_assert(offsetof(struct aiocb, __glibc_reserved) == 136, "reserved bytes have moved");

/* The members of struct aiocb are not _Atomic, so this file uses the __atomic builtins. */
static request_handle *handle_of(const struct aiocb *cb)
{
	return (request_handle *)(uintptr_t)&cb->__glibc_reserved;
}

static uint32_t *position_of(const struct aiocb *cb)
{
	return (uint32_t *)(handle_of(cb) + 1);
}

static request_handle *completion_of(const struct aiocb *cb)
{
	return handle_of(cb) + 2;
}

/* What glibc stores there, so that the block fits into a list as it is. */
static void store_opcode(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	static const signed char opcodes[] = {
		[OP_READ] = LIO_READ,
		[OP_WRITE] = LIO_WRITE,
		[OP_FDATASYNC] = 3,
		[OP_FSYNC] = 4,
	};

	cb->aio_lio_opcode = opcodes[op] | (is_vectored ? LIO_VECTORED : 0);
}

void aiocb_begin(struct aiocb *cb, struct request *req)
{
	if (req->op != OP_INVALID)
		store_opcode(cb, (enum request_op)req->op, req->vector);
	__atomic_store_n(handle_of(cb), request_handle_of(req), __ATOMIC_RELAXED);
	__atomic_store_n(position_of(cb), req->position, __ATOMIC_RELAXED);
	__atomic_store_n(&cb->__return_value, 0, __ATOMIC_RELAXED);
	/* Partner: aiocb_request() in a thread that shares the aiocb. */
	__atomic_store_n(&cb->__error_code, EINPROGRESS, __ATOMIC_RELEASE);
}

void aiocb_complete(struct aiocb *cb, ssize_t res)
{
	__atomic_store_n(&cb->__return_value, res < 0 ? -1 : res, __ATOMIC_RELAXED);
	/* Partners: aiocb_error() in aio_error and aio_suspend, which then read the result. */
	__atomic_store_n(&cb->__error_code, res < 0 ? (int)-res : 0, __ATOMIC_RELEASE);
}

void aiocb_complete_at_once(struct aiocb *cb, enum request_op op, bool is_vectored, ssize_t res,
			    uint32_t position)
{
	__atomic_store_n(handle_of(cb), 0, __ATOMIC_RELAXED);
	__atomic_store_n(position_of(cb), position, __ATOMIC_RELAXED);
	store_opcode(cb, op, is_vectored);
	aiocb_complete(cb, res);
}

void aiocb_reject(struct aiocb *cb, int err, ssize_t return_value)
{
	__atomic_store_n(&cb->__return_value, return_value, __ATOMIC_RELAXED);
	__atomic_store_n(&cb->__error_code, err, __ATOMIC_RELEASE);
}

int aiocb_error(const struct aiocb *cb)
{
	return __atomic_load_n(&cb->__error_code, __ATOMIC_SEQ_CST);
}

ssize_t aiocb_return(const struct aiocb *cb)
{
	return __atomic_load_n(&cb->__return_value, __ATOMIC_RELAXED);
}

request_handle aiocb_handle(const struct aiocb *cb)
{
	return __atomic_load_n(handle_of(cb), __ATOMIC_RELAXED);
}

uint32_t aiocb_position(const struct aiocb *cb)
{
	return __atomic_load_n(position_of(cb), __ATOMIC_RELAXED);
}

struct request *aiocb_lookup(const struct aiocb *cb, request_handle handle)
{
	struct request *req = request_lookup(handle);

	/* Its owner may just give the record to another aiocb. */
	return req && __atomic_load_n(&req->cb, __ATOMIC_RELAXED) == cb ? req : NULL;
}

struct request *aiocb_request(const struct aiocb *cb)
{
	return aiocb_error(cb) == EINPROGRESS ? aiocb_lookup(cb, aiocb_handle(cb)) : NULL;
}

void aiocb_set_completion(struct aiocb *cb, struct request *completion)
{
	__atomic_store_n(completion_of(cb), request_handle_of(completion), __ATOMIC_RELAXED);
}

/* Garbage, and a handle that is out of date, lead to no record of @cb, or to a free one. */
struct request *aiocb_completion(const struct aiocb *cb)
{
	struct request *completion =
		aiocb_lookup(cb, __atomic_load_n(completion_of(cb), __ATOMIC_RELAXED));

	return completion && request_place(completion) == PLACE_DONE ? completion : NULL;
}

bool aiocb_is_foreign(const struct aiocb *cb)
{
	request_handle handle;

	do {
		if (aiocb_error(cb) != EINPROGRESS)
			return false;
		handle = aiocb_handle(cb);
		if (aiocb_lookup(cb, handle) || !request_is_possible(handle))
			return false;
		/* If it has ended just now, the error code or the handle has changed. */
	} while (aiocb_error(cb) != EINPROGRESS || aiocb_handle(cb) != handle);
	return true;
}
