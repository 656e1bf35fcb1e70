// SPDX-License-Identifier: MIT
/*
 * test_dlopen.c - AIO used by a plugin that comes and goes, and while it does
 *
 * The plugin (plugin.so, in the directory of this program) is the code that calls AIO; it is
 * unloaded while what it asked for is in flight.  Everything completes, and the
 * next round may load it at another place.
 *
 * While a constructor or a destructor of a plugin runs, its thread holds the
 * loader's lock.  Neither what it asks for, nor what others do meanwhile, may wait
 * for that lock.
 */
#include "transparency.h"

#include <dlfcn.h>
#include <inttypes.h>

#define ROUNDS     50
#define NR_BLOCKS  8
#define BLOCK_SIZE 65536

struct plugin {
	void *handle;
	int (*read)(struct aiocb *cb);
	int (*write)(struct aiocb *cb);
	int (*list)(struct aiocb *const list[], int nent);
};

static void plugin_load(struct plugin *plugin)
{
	char path[PATH_MAX + 16];

	strcpy(path, own_program());
	strcpy(strrchr(path, '/') + 1, "plugin.so");
	plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->handle)
		check_failed("%s", dlerror());
	plugin->read = (int (*)(struct aiocb *))dlsym(plugin->handle, "plugin_read");
	plugin->write = (int (*)(struct aiocb *))dlsym(plugin->handle, "plugin_write");
	plugin->list = (int (*)(struct aiocb *const[], int))dlsym(plugin->handle, "plugin_list");
	check(plugin->read && plugin->write && plugin->list);
}

static void plugin_unload(struct plugin *plugin)
{
	check_equal(dlclose(plugin->handle), 0);
}

static int unload_with_blocked_request(void)
{
	struct plugin plugin;
	struct aiocb in, out;
	char byte;
	int fds[2];

	for (int i = 0; i < ROUNDS; i++) {
		byte = 0;
		open_pipe(fds);
		plugin_load(&plugin);
		aiocb_init(&in, fds[0], &byte, 1, 0);
		check_equal(plugin.read(&in), 0);
		plugin_unload(&plugin);
		check_equal(aio_error(&in), EINPROGRESS);
		plugin_load(&plugin);
		aiocb_init(&out, fds[1], "x", 1, 0);
		check_equal(plugin.write(&out), 0);
		plugin_unload(&plugin);
		check_equal(outcome(&out), 1);
		check_equal(outcome(&in), 1);
		check_equal(byte, 'x');
		close_pair(fds);
	}
	return 0;
}

static int unload_with_disk_requests(void)
{
	size_t size = NR_BLOCKS * BLOCK_SIZE;
	int file = temp_file_filled(size), direct = direct_file(size, 0);
	struct aiocb cbs[NR_BLOCKS], *list[NR_BLOCKS];
	char *buf = direct_buffer(size);
	struct plugin plugin;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = i % 2 && direct >= 0 ? direct : file;

		memset(buf, 0, size);
		evict(file);
		plugin_load(&plugin);
		for (int j = 0; j < NR_BLOCKS; j++) {
			list[j] = &cbs[j];
			aiocb_init_lio(&cbs[j], LIO_READ, fd, buf + j * BLOCK_SIZE, BLOCK_SIZE,
				       j * BLOCK_SIZE);
		}
		check_equal(plugin.list(list, NR_BLOCKS), 0);
		plugin_unload(&plugin);
		for (int j = 0; j < NR_BLOCKS; j++)
			check_equal(outcome(&cbs[j]), BLOCK_SIZE);
		check_pattern(buf, 0, size);
	}
	return 0;
}

/* A thread that lives in no plugin, but whose calls came from one. */
static void *load_and_read(void *arg)
{
	struct aiocb *cb = arg;
	struct plugin plugin;

	plugin_load(&plugin);
	check_equal(plugin.read(cb), 0);
	plugin_unload(&plugin);
	return NULL;
}

static int unload_and_end_thread(void)
{
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < ROUNDS; i++) {
		aiocb_init(&cb, fds[0], &byte, 1, 0);
		join_thread(start_thread(load_and_read, &cb));
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
	}
	return 0;
}

/* ---- while the loader's lock is held ---- */

static void plugin_calls(const char *variable, void (*function)(void))
{
	char address[2 * sizeof(uintptr_t) + 1];

	snprintf(address, sizeof(address), "%" PRIxPTR, (uintptr_t)function);
	check_equal(setenv(variable, address, 1), 0);
}

static void load_and_unload(void)
{
	struct plugin plugin;

	plugin_load(&plugin);
	plugin_unload(&plugin);
}

static int constructor_waits(void)
{
	plugin_calls("PLUGIN_LOADED", use_aio);
	load_and_unload();
	return 0;
}

static void *flush(void *unused)
{
	use_aio();
	return unused;
}

static void join_flushing_thread(void)
{
	join_thread(start_thread(flush, NULL));
}

static int destructor_joins(void)
{
	plugin_calls("PLUGIN_UNLOADED", join_flushing_thread);
	load_and_unload();
	return 0;
}

static int loading[2], may_load[2];

/* A constructor that takes its time. */
static void load_slowly(void)
{
	char byte;

	write_fully(loading[1], "x", 1);
	read_fully(may_load[0], &byte, 1);
}

static void *load_plugin(void *unused)
{
	load_and_unload();
	return unused;
}

static int use_aio_beside_dlopen(void)
{
	pthread_t loader;
	char byte;

	open_pipe(loading);
	open_pipe(may_load);
	plugin_calls("PLUGIN_LOADED", load_slowly);
	loader = start_thread(load_plugin, NULL);
	read_fully(loading[0], &byte, 1);
	use_aio();
	write_fully(may_load[1], "x", 1);
	join_thread(loader);
	return 0;
}

/* In a program that was started with the variable. */
static int switch_off_beside_dlopen(void)
{
	setenv("RTAIO_BACKEND", "glibc", 1);
	execl(own_program(), "test_dlopen", "beside", NULL);
	return 1;
}

TEST_IN_CHILD(test_plugin_is_unloaded_with_a_blocked_request, unload_with_blocked_request, 30000)
TEST_IN_CHILD(test_plugin_is_unloaded_with_disk_requests, unload_with_disk_requests, 30000)
TEST_IN_CHILD(test_plugin_is_unloaded_by_a_thread_that_ends, unload_and_end_thread, 30000)
TEST_IN_CHILD(test_constructor_of_a_plugin_waits_for_aio, constructor_waits, 30000)
TEST_IN_CHILD(test_destructor_of_a_plugin_joins_a_thread_that_flushes, destructor_joins, 30000)
TEST_IN_CHILD(test_aio_does_not_wait_for_dlopen, use_aio_beside_dlopen, 30000)
TEST_IN_CHILD(test_switched_off_does_not_wait_for_dlopen, switch_off_beside_dlopen, 30000)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin_is_unloaded_with_a_blocked_request),
		cmocka_unit_test(test_plugin_is_unloaded_with_disk_requests),
		cmocka_unit_test(test_plugin_is_unloaded_by_a_thread_that_ends),
		cmocka_unit_test(test_constructor_of_a_plugin_waits_for_aio),
		cmocka_unit_test(test_destructor_of_a_plugin_joins_a_thread_that_flushes),
		cmocka_unit_test(test_aio_does_not_wait_for_dlopen),
		cmocka_unit_test(test_switched_off_does_not_wait_for_dlopen),
	};

	if (argc == 2 && strcmp(argv[1], "beside") == 0)
		return use_aio_beside_dlopen();

	return cmocka_run_group_tests_name("dlopen", tests, NULL, NULL);
}
