// SPDX-License-Identifier: MIT
/*
 * pin.c - an open file of the program's, held for the requests that still need it.
 *
 * The last holder pushes pin->last, behind all requests.  The thread may receive
 * it, and free the pin, before that holder has bumped the wake word of the
 * inbox.  So the memory of pins is not unmapped, and a wake word is never reset:
 * the next user of the pin is woken once too often, and no harm is done.
 */
#include "dispatch/pin.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/futex.h"
#include "engine/helper.h"
#include "engine/workers.h"
#include "request/perform.h"

#define BEGIN_NS 100000000u

struct pin {
	struct helper helper; /* first: serve() gets the pin by it */
	struct message last;
	int fd;                     /* in the table of who made the pin, */
	bool is_visible;            /* which is the program's: it may put a file of its own there */
	struct stat identity;       /* of a visible one: the pin's thread asks, */
	_Atomic uint32_t has_begun; /* and who makes the pin waits for it */
	_Atomic uint32_t holders;
	struct pin *next_free;
};

/* The keeper and the engine take pins, their threads give them back; all signals are blocked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pin *free_pins; /* guarded by lock */

/* --- memory ------------------------------------------------------------------- */

/* The child of a fork does not get it: there it would be lost. */
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

/* Where the inode number changes while the file is open, what is left of it is cancelled. */
static bool is_own(struct pin *pin)
{
	struct stat now;

	return !pin->is_visible ||
	       (RAW_SYSCALL(SYS_fstat, pin->fd, &now) == 0 && now.st_ino == pin->identity.st_ino &&
		now.st_dev == pin->identity.st_dev);
}

/* A direct call: the program's close, and ours, are about the program's table. */
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

/* Until then the program must not change it; but a dead server is not waited for. */
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
	pin->helper.thread_name = "rtaio-pinned";
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
