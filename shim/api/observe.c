// SPDX-License-Identifier: MIT
/*
 * observe.c - load an observer, and let it take the program's calls.
 */
#include "api/observe.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

_Atomic(const struct aio_calls *) calls_detour;
const struct aio_calls *observe_own_calls;

static const struct observer *loaded;
static char failure[256]; /* of dlopen or dlsym */

static const char *const names[] = {
	[OBSERVE_EXPLAIN] = "explain",
	[OBSERVE_CHECK] = "check",
};

/*
 * @folder: that of this library, with its last slash.  The librt.so.1 for old binaries has one of
 * its own.
 */
static void *open_observer(const char *folder, int length, const char *name)
{
	static const char *const places[] = { "rtaio", "../rtaio" };
	char path[PATH_MAX];
	void *handle = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !handle; i++) {
		snprintf(path, sizeof(path), "%.*s%s/%s.so", length, folder, places[i], name);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		if (!handle && i == 0)
			snprintf(failure, sizeof(failure), "%s", dlerror());
	}
	return handle;
}

void observe_load(void)
{
	const char *slash;
	void *handle;
	Dl_info self;

	if (config.observe == OBSERVE_NOTHING || !dladdr(&loaded, &self) ||
	    !(slash = strrchr(self.dli_fname, '/')))
		return;
	handle = open_observer(self.dli_fname, (int)(slash - self.dli_fname) + 1,
			       names[config.observe]);
	if (handle)
		loaded = dlsym(handle, "rtaio_observer");
}

void observe_start(const struct aio_calls *next, bool is_child)
{
	struct observed observed = {
		.version = RTAIO_VERSION,
		.calls = next ? next : observe_own_calls,
		.config = &config,
		.backend_names = backend_names,
		.argument = config.observe_path,
		.log_line = log_line,
		.log_write = log_write,
	};

	observer = NULL;
	atomic_store(&calls_detour, next);
	if (config.observe == OBSERVE_NOTHING)
		return;
	/* A constructor of another library may have used AIO before ours ran. */
	if (!loaded || !observed.calls) {
		log_line("the observer \"%s\" is not there, so nothing is observed: %s",
			 names[config.observe],
			 failure[0] ? failure : "ask for it when the program starts");
		return;
	}
	if (!loaded->start(&observed, is_child))
		return;
	observer = loaded;
	atomic_store(&calls_detour, loaded->calls);
}
