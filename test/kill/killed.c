// SPDX-License-Identifier: MIT
/*
 * killed.c - kill a program at random moments, or its disk, and look at its files
 *
 *   killed TIMES SEED                       SIGKILL, in $TMPDIR
 *   killed TIMES SEED IMAGE TYPE [OPTIONS]  the power of a disk with a file system is cut
 *
 * After SIGKILL a file must hold every write that was reported complete; after the loss
 * of power every one that a sync has covered since, or that O_DSYNC has.  No byte may be
 * there that nobody has written.
 *
 * It prints how many writes and syncs were reported, and ends with "N passed, N failed, N skipped".
 */
#include "disk.h"
#include "writer.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* It is killed so long after its first write, at most; a file system on a loop device is slower. */
#define MOMENT_MS      60
#define DISK_MOMENT_MS 400

static struct writer_ledger *ledger;
static long long nr_writes, nr_syncs, nr_lost;

/* Not before the writer has something to lose. */
static pid_t start_writer(const char *dir, unsigned int seed, int moment_ms)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		writer_run(dir, ledger, seed);
	}
	eventually(ledger->nr_writes > 0 || waitpid(pid, NULL, WNOHANG) != 0);
	nanosleep(&(struct timespec){ .tv_nsec = rand() % (moment_ms * 1000000) }, NULL);
	return pid;
}

static void end_writer(pid_t pid)
{
	int status;

	check_equal(kill(pid, SIGKILL), 0);
	check_equal(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	nr_writes += ledger->nr_writes;
	nr_syncs += ledger->nr_syncs;
}

static bool survives_kill(const char *dir, unsigned int seed)
{
	end_writer(start_writer(dir, seed, MOMENT_MS));
	return writer_check(dir, ledger, false);
}

static bool survives_power_cut(const char *dir, unsigned int seed, char **arguments)
{
	const char *type = arguments[1], *options = arguments[2];
	struct disk *disk = disk_start(arguments[0]);
	bool is_right;
	pid_t pid;

	if (!disk || !disk_mount(disk, dir, type, options))
		exit(2);
	pid = start_writer(dir, seed, DISK_MOMENT_MS);
	nr_lost += disk_cut(disk);
	end_writer(pid);
	disk_umount(dir);
	disk_power_on(disk, seed);
	is_right = disk_mount(disk, dir, type, options) && writer_check(dir, ledger, true);
	disk_umount(dir);
	disk_stop(disk);
	return is_right;
}

int main(int argc, char **argv)
{
	int times = argc > 2 ? atoi(argv[1]) : 0, nr_failed = 0;
	unsigned int seed = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
	bool has_disk = argc > 4;
	char dir[PATH_MAX];

	if (times <= 0 || argc == 4) {
		fprintf(stderr, "usage: killed TIMES SEED [IMAGE TYPE [OPTIONS]]\n");
		return 2;
	}
	/* Mounts of this process alone: they end with it. */
	if (has_disk &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
		perror("killed: needs root");
		return 2;
	}
	snprintf(dir, sizeof(dir), "%s/files", temp_dir());
	check_equal(mkdir(dir, 0700), 0);
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(ledger != MAP_FAILED);
	for (int i = 0; i < times; i++, seed++) {
		memset(ledger, 0, sizeof(*ledger));
		srand(seed);
		if (has_disk ? survives_power_cut(dir, seed, argv + 3) : survives_kill(dir, seed))
			continue;
		nr_failed++;
		printf("FAIL seed %u: %s\n", seed, ledger->wrong);
	}
	printf("# %lld writes and %lld syncs were reported", nr_writes, nr_syncs);
	if (has_disk)
		printf(", %lld sectors were written and not flushed", nr_lost);
	printf("\n%d passed, %d failed, 0 skipped\n", times - nr_failed, nr_failed);
	return nr_failed > 0;
}
