// SPDX-License-Identifier: MIT
/*
 * check_trace.c - the frames of the calling thread.
 */
#include "observers/check_trace.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#include "base/raw_syscall.h"

#define OBJECTS_MAX 4
/* A thread's static storage and first frames lie above its stack; a frame is hardly ever larger. */
#define THREAD_TOP_MAX 0x8000u
#define FRAME_SIZE_MAX 0x4000000u

static struct object {
	uintptr_t begin, end;
} left_out[OBJECTS_MAX];
static unsigned nr_left_out;

static char program[4096]; /* the file; empty: unknown */

/* ---- whose address ---- */

static int leave_out(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t address = (uintptr_t)arg, begin = UINTPTR_MAX, end = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		begin = from < begin ? from : begin;
		end = from + segment->p_memsz > end ? from + segment->p_memsz : end;
	}
	if (address < begin || address >= end)
		return 0;
	left_out[nr_left_out++] = (struct object){ begin, end };
	return 1;
}

static bool is_left_out(uintptr_t address)
{
	for (unsigned i = 0; i < nr_left_out; i++)
		if (address >= left_out[i].begin && address < left_out[i].end)
			return true;
	return false;
}

void trace_leave_out(const void *address)
{
	if (nr_left_out < OBJECTS_MAX && !is_left_out((uintptr_t)address))
		dl_iterate_phdr(leave_out, (void *)(uintptr_t)address);
}

/* ---- unwinding ---- */

/* The unwinder knows where the callee's frame ended, which is where this one begins. */
static _Unwind_Reason_Code take_one(struct _Unwind_Context *context, void *arg)
{
	struct frames *frames = arg;
	struct frame *frame = &frames->frame[frames->nr];
	int is_interrupted = 0;

	if (frames->nr == FRAMES_MAX)
		return _URC_NORMAL_STOP;
	frame->address = _Unwind_GetIPInfo(context, &is_interrupted);
	frame->start = _Unwind_GetCFA(context);
	frame->is_interrupted = is_interrupted;
	if (frame->address)
		frames->nr++;
	return _URC_NO_REASON;
}

__attribute__((noinline)) void frames_take(struct frames *frames)
{
	frames->nr = 0;
	frames->first = 0;
	frames->is_whole = _Unwind_Backtrace(take_one, frames) == _URC_END_OF_STACK &&
			   frames->nr > 0 && frames->nr < FRAMES_MAX;
	while (frames->first < frames->nr && is_left_out(frames->frame[frames->first].address))
		frames->first++;
}

/* What the first call loads and looks up must not be loaded in a handler. */
__attribute__((constructor)) static void warm_up(void)
{
	struct frames frames;

	frames_take(&frames);
}

/* The kernel's, between a handler and what it has interrupted. */
static bool is_signal_frame(const struct frames *frames, unsigned index)
{
	return index + 1 < frames->nr && frames->frame[index + 1].is_interrupted;
}

void frames_to_trace(const struct frames *frames, struct trace *trace)
{
	trace->nr = 0;
	/* The call itself, which ends before the address where its function goes on. */
	for (unsigned i = frames->first; i < frames->nr && trace->nr < TRACE_MAX; i++)
		if (!is_signal_frame(frames, i))
			trace->address[trace->nr++] = (void *)(frames->frame[i].address -
							       !frames->frame[i].is_interrupted);
}

uintptr_t frames_root(const struct frames *frames)
{
	return frames->is_whole ? frames->frame[frames->nr - 1].start : 0;
}

bool frames_are_of_thread(const struct frames *frames)
{
	return (uintptr_t)pthread_self() - frames_root(frames) < THREAD_TOP_MAX;
}

struct activation frames_find(const struct frames *frames, const volatile void *address)
{
	uintptr_t wanted = (uintptr_t)address;

	for (unsigned i = frames->first; frames->is_whole && i + 1 < frames->nr; i++) {
		const struct frame *frame = &frames->frame[i], *caller = frame + 1;

		/* The kernel's own frame: a handler may run on another stack. */
		if (is_signal_frame(frames, i) || caller->start - frame->start > FRAME_SIZE_MAX)
			continue;
		if (wanted >= frame->start && wanted < caller->start)
			return (struct activation){ caller->start, caller->address };
	}
	return (struct activation){ 0 };
}

/* The caller goes on behind the call, so its address is the callee's return address until then. */
bool frames_have(const struct frames *frames, const struct activation *activation)
{
	for (unsigned i = 0; i < frames->nr; i++)
		if (frames->frame[i].start == activation->end &&
		    frames->frame[i].address == activation->return_address)
			return true;
	return false;
}

/* ---- signal handlers ---- */

/*
 * A handler may call what is not async-signal-safe, unless it interrupts such a function.  These
 * are the usual ones that hold a lock, or change what the process has only once.
 */
static const char *const unsafe_functions[] = {
	"aio_cancel",     "aio_fsync",   "aio_read", "aio_write", "aligned_alloc",  "calloc",
	"closedir",       "closelog",    "dlclose",  "dlopen",    "dlsym",          "dprintf",
	"exit",           "fclose",      "fdopen",   "fflush",    "fgetc",          "fgets",
	"fopen",          "fprintf",     "fputc",    "fputs",     "fread",          "free",
	"fscanf",         "fseek",       "fseeko",   "fwrite",    "getaddrinfo",    "getc",
	"getchar",        "getdelim",    "getline",  "getpwnam",  "getpwuid",       "lio_listio",
	"localtime",      "localtime_r", "malloc",   "memalign",  "mktime",         "opendir",
	"openlog",        "pclose",      "perror",   "popen",     "posix_memalign", "printf",
	"pthread_create", "putc",        "putchar",  "puts",      "readdir",        "realloc",
	"scanf",          "setenv",      "strftime", "syslog",    "tzset",          "unsetenv",
	"vfprintf",       "vprintf",     "vsyslog",
};

/* By one of its names: __libc_malloc, _IO_puts, fopen64, fputs_unlocked, __printf_chk. */
static bool is_named(const char *function, const char *name)
{
	static const char *const endings[] = { "", "64", "_unlocked", "_chk" };
	const char *ending;

	function += strspn(function, "_");
	if (strncmp(function, "libc_", 5) == 0)
		function += 5;
	if (strncmp(function, "IO_", 3) == 0)
		function += 3;
	if (strncmp(function, name, strlen(name)) != 0)
		return false;
	ending = function + strlen(name);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(ending, endings[i]) == 0)
			return true;
	return false;
}

static bool is_unsafe(uintptr_t address)
{
	Dl_info info;

	if (!dladdr((void *)address, &info) || !info.dli_sname)
		return false;
	for (size_t i = 0; i < sizeof(unsafe_functions) / sizeof(unsafe_functions[0]); i++)
		if (is_named(info.dli_sname, unsafe_functions[i]))
			return true;
	return false;
}

bool frames_interrupt_unsafe(const struct frames *frames)
{
	unsigned at = frames->first;

	while (at < frames->nr && !frames->frame[at].is_interrupted)
		at++;
	for (; at < frames->nr; at++)
		if (is_unsafe(frames->frame[at].address - !frames->frame[at].is_interrupted))
			return true;
	return false;
}

/* ---- text ---- */

void trace_start(void)
{
	long length = RAW_SYSCALL(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", program,
				  sizeof(program) - 1);

	program[length > 0 ? length : 0] = '\0';
}

/* The loader calls the program by argv[0], which need not be a path, and which programs change. */
static const char *file_of(const Dl_info *info, const struct link_map *map)
{
	return map->l_name[0] == '\0' && program[0] ? program : info->dli_fname;
}

/* The offset is the one that addr2line takes: from where the object was linked to lie. */
size_t trace_print_address(const void *address, char *text, size_t size)
{
	uintptr_t at = (uintptr_t)address;
	struct link_map *map = NULL;
	Dl_info info;
	int used;

	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !info.dli_fname || !map)
		used = snprintf(text, size, "%p", address);
	else if (info.dli_sname)
		used = snprintf(text, size, "%s+0x%" PRIxPTR " (%s+0x%" PRIxPTR ")", info.dli_sname,
				at - (uintptr_t)info.dli_saddr, file_of(&info, map),
				at - map->l_addr);
	else
		used = snprintf(text, size, "? (%s+0x%" PRIxPTR ")", file_of(&info, map),
				at - map->l_addr);
	return used < (int)size ? (size_t)used : size - 1;
}

size_t trace_print(const struct trace *trace, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; i < trace->nr && used + 64 < size; i++) {
		used += (size_t)snprintf(text + used, size - used, "    #%u ", i);
		used += trace_print_address(trace->address[i], text + used, size - used - 1);
		text[used++] = '\n';
	}
	return used;
}
