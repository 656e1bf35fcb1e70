// SPDX-License-Identifier: MIT
/*
 * environment.c - libFuzzer target: any environment is read, and leaves a sound configuration
 *
 * The input is an environment: strings that end with 0.
 */
#include "base/config.h"

#include "demand.h"

#include <string.h>
#include <unistd.h>

#define NR_STRINGS 64

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *strings[NR_STRINGS + 1] = { NULL }, **saved = environ, *copy = malloc(size + 1);
	size_t nr = 0;

	demand(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = 0;
	for (size_t at = 0; at < size && nr < NR_STRINGS; at += strlen(copy + at) + 1)
		strings[nr++] = copy + at;
	environ = strings;
	config_load(false);
	config_load(true);
	environ = saved;
	free(copy);
	demand(config.backend < BACKEND_NR);
	demand(config.depth >= 1 && config.depth <= 65536);
	demand(config.threads_max >= 1 && config.threads_max <= 65536);
	demand(config.callbacks_max >= 1 && config.callbacks_max <= 65536);
	demand(config.busy_poll_us <= 1000);
	demand(memchr(config.stats_path, 0, sizeof(config.stats_path)) != NULL);
	return 0;
}
