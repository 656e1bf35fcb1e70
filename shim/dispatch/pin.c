// SPDX-License-Identifier: MIT
/*
 * pin.c - an open file of the program's, held for the requests that still need it.
 *
 * The last holder pushes pin->last, behind all requests.  The pin's thread may receive it and
 * free the pin before that holder has bumped the wake word of the inbox.  So pins are never
 * unmapped, and a wake word is never reset.  At worst the next user gets one spurious wake.
 */
#include "dispatch/pin.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/raw_syscall.h"
#include "engine/helper.h"
#include "engine/workers.h"
#include "request/perform.h"

#define BEGIN_NS 100000000u

struct pin {
	struct helper helper; /* first: serve() casts it to the pin */
	struct message last;
	int fd;                     /* in the table of the pin's thread */
	bool is_visible;            /* that table is the program's, which may reuse fd */
	struct stat identity;       /* if visible: written by the pin's thread */
	_Atomic uint32_t has_begun; /* identity is there; await_begin() waits for it */
	_Atomic uint32_t holders;
	struct pin *next_free;
};

/* The keeper and the engine take pins, the pins' threads free them; all signals are blocked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pin *free_pins; /* guarded by lock */

/* --- memory ------------------------------------------------------------------- */

/* A child of fork does not get the memory: it resets free_pins, and would leak it. */
static struct pin *map_pin(void)
{
	long pin = RAW_SYSCALL(SYS_mmap, NULL, sizeof(struct pin), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (raw_is_error(pin))
		return NULL;
	RAW_SYSCALL(SYS_madvise, pin, sizeof(struct pin), MADV_DONTFORK);
	return (struct pin *)pin;
}

static struct pin *alloc_pin(void)
{
	struct pin *pin;

	pthread_mutex_lock(&lock);
	pin = free_pins;
	if (pin)
		free_pins = pin->next_free;
	pthread_mutex_unlock(&lock);
	return pin ? pin : map_pin();
}

static void free_pin(struct pin *pin)
{
	pthread_mutex_lock(&lock);
	pin->next_free = free_pins;
	free_pins = pin;
	pthread_mutex_unlock(&lock);
}

/* --- the pin's thread ----------------------------------------------------------- */

static bool begin(struct helper *helper)
{
	struct pin *pin = (struct pin *)helper;

	if (pin->is_visible)
		RAW_SYSCALL(SYS_fstat, pin->fd, &pin->identity);
	atomic_store(&pin->has_begun, 1);
	futex_wake(&pin->has_begun, 1);
	return true;
}

/* If the inode number changes while the file is open, the remaining requests are cancelled. */
static bool is_own(struct pin *pin)
{
	struct stat now;

	return !pin->is_visible ||
	       (RAW_SYSCALL(SYS_fstat, pin->fd, &now) == 0 && now.st_ino == pin->identity.st_ino &&
		now.st_dev == pin->identity.st_dev);
}

/* A raw call: hooks on close(), the program's or ours, are about the program's table. */
static void end(struct pin *pin)
{
	if (is_own(pin))
		RAW_SYSCALL(SYS_close, pin->fd);
	free_pin(pin);
}

static bool serve(struct helper *helper, struct message *messages)
{
	struct pin *pin = (struct pin *)helper;

	while (messages && messages != &pin->last) {
		struct message *next = messages->next;
		struct request *req = (struct request *)messages;

		req->res = is_own(pin) ? perform(req, pin->fd) : -ECANCELED;
		workers_report(req);
		messages = next;
	}
	if (!messages)
		return true;
	end(pin);
	return false;
}

/* --- for others ----------------------------------------------------------------- */

/* The program must not reuse the descriptor before fstat, which a dead server may block. */
static void await_begin(struct pin *pin)
{
	struct timespec deadline = clock_in_ns(BEGIN_NS);

	while (!atomic_load(&pin->has_begun))
		if (futex_wait(&pin->has_begun, 0, &deadline) == -ETIMEDOUT)
			return;
}

struct pin *pin_make(int fd, bool is_visible)
{
	struct pin *pin = alloc_pin();

	if (!pin)
		return NULL;
	helper_after_fork(&pin->helper);
	pin->helper.thread_name = "rtaio-pin";
	pin->helper.is_resident = true;
	pin->helper.begin = begin;
	pin->helper.serve = serve;
	pin->fd = fd;
	pin->is_visible = is_visible;
	atomic_store(&pin->has_begun, 0);
	atomic_store(&pin->holders, 1);
	if (!helper_start(&pin->helper)) {
		free_pin(pin);
		return NULL;
	}
	if (is_visible)
		await_begin(pin);
	return pin;
}

void pin_submit(struct pin *pin, struct request *req)
{
	helper_push(&pin->helper, &req->message);
}

void pin_get(struct pin *pin)
{
	atomic_fetch_add(&pin->holders, 1);
}

void pin_put(struct pin *pin)
{
	if (atomic_fetch_sub(&pin->holders, 1) == 1)
		helper_push(&pin->helper, &pin->last);
}

void pin_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
	free_pins = NULL;
}
