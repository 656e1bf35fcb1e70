#!/bin/bash
# SPDX-License-Identifier: MIT
#
# recipes.sh - what rtaio(7) says of other people's programs and tools: recipes, and "Will it work for my program?"
#
# And how rtaio(1) says that a served program is debugged.
# Each is done with a program that says whether the library serves it (RTAIO_VERBOSE). Text that the
# manual gives for a file is taken from there, with the path of the library that was built.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

mkdir -p "$tree/build/tmp"
work=$(mktemp -d "$tree/build/tmp/recipes.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
chmod 755 .
export LC_ALL=C

library=$tree/build/librtaio.so
refuse=$tree/build/test/refused/refuse
# shellcheck source=test/refused/sandboxes.sh
. "$tree/test/refused/sandboxes.sh"
NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)
SERVED='serving POSIX AIO'

${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o reads "$tree/test/scripts/reads.c" -lrt || exit 1
head -c 262144 /dev/zero >file

# recipe title: the text of the first example below that title of rtaio(7).
recipe() {
	sed -n "/^.SS $1\$/,/^.EE/p" "$tree/scripts/man/rtaio.7" | sed -n '/^.EX/,/^.EE/{/^\.E/d;s/\\-/-/g;p}' |
		sed "s:/usr/local/lib/librtaio.so.0:$library:"
}

# serves test command...: the program that it runs is served. serves_not: it works, but is not.
serves() {
	local test=$1 output
	shift
	output=$(RTAIO_VERBOSE=1 timeout 60 "$@" 2>&1) && grep -q "$SERVED" <<<"$output" && pass "$test" && return
	fail "$test" "status $?: $output"
}

serves_not() {
	local test=$1 output
	shift
	output=$(RTAIO_VERBOSE=1 timeout 60 "$@" 2>&1) && ! grep -q "$SERVED" <<<"$output" && pass "$test" && return
	fail "$test" "status $?: $output"
}

# ---- will it work for my program? ----

cat >uses.c <<'EOT'
#include <aio.h>
#include <fcntl.h>
int use(void)
{
	static char bytes[10];
	static struct aiocb cb = { .aio_buf = bytes, .aio_nbytes = sizeof(bytes) };
	const struct aiocb *list[] = { &cb };

	cb.aio_fildes = open("file", O_RDONLY);
	return aio_read(&cb) == 0 && aio_suspend(list, 1, 0) == 0 && aio_return(&cb) == 10 ? 0 : 1;
}
EOT
cat >loads.c <<'EOT'
#define _GNU_SOURCE
#include <dlfcn.h>
int main(int argc, char **argv)
{
	void *plugin = dlopen(argv[1], RTLD_NOW | (argc > 2 ? RTLD_DEEPBIND : 0));

	return plugin ? ((int (*)(void))dlsym(plugin, "use"))() : 2;
}
EOT
echo 'int main(void) { return 0; }' >nothing.c
${CC:-cc} -o loads loads.c -ldl
${CC:-cc} -shared -fPIC -o plugin.so uses.c -lrt
${CC:-cc} -shared -fPIC -o linked.so uses.c "$library"
rtaio=$tree/scripts/rtaio
serves "a plugin" "$rtaio" ./loads ./plugin.so
serves_not "not one that is loaded with RTLD_DEEPBIND" "$rtaio" ./loads ./plugin.so deep
serves "unless it was linked with -lrtaio" "$rtaio" ./loads ./linked.so deep

if ${CC:-cc} -m32 -o bits32 nothing.c 2>/dev/null && ./bits32; then
	check "a 32-bit child goes on, with a message of its loader" grep -q 'wrong ELF class.*ignored' \
		<<<"$("$rtaio" sh -c './bits32 && ./reads file' 2>&1 || echo failed)"
else
	skip "a 32-bit child goes on" "gcc -m32 is not installed, or 32-bit programs do not run here"
fi
if command -v musl-gcc >/dev/null; then
	musl-gcc -o musl nothing.c
	check "a child of musl starts without LD_PRELOAD alone" \
		"$rtaio" sh -c '! ./musl 2>/dev/null && env -u LD_PRELOAD ./musl'
else
	skip "a child of musl starts without LD_PRELOAD alone" "musl-gcc (package musl-tools) is not installed"
fi
for sanitizer in address thread undefined; do
	if ${CC:-cc} -fsanitize=$sanitizer -D_GNU_SOURCE -o sanitized "$tree/test/scripts/reads.c" -lrt 2>/dev/null &&
		ASAN_OPTIONS=detect_leaks=0 ./sanitized file; then
		serves "-fsanitize=$sanitizer" env ASAN_OPTIONS=detect_leaks=0 "$rtaio" ./sanitized file
	else
		skip "-fsanitize=$sanitizer" "the compiler has none that works here"
	fi
done
${CC:-cc} -pg -D_GNU_SOURCE -o profiled "$tree/test/scripts/reads.c" -lrt && serves "gprof" "$rtaio" ./profiled file
check "gprof has its profile" [ -s gmon.out ]
if perf stat -o /dev/null true 2>/dev/null; then
	serves "perf" perf stat -o /dev/null "$rtaio" ./reads file
else
	skip "perf" "perf is not installed, or cannot count here"
fi
if command -v faketime >/dev/null; then
	serves "libfaketime" "$rtaio" faketime -f '-1y x10' ./reads file
	serves "or with the launcher behind it" faketime -f '-1y x10' "$rtaio" ./reads file
else
	skip "libfaketime" "faketime is not installed"
fi

# ---- a debugger ----

if command -v gdb >/dev/null && gdb -nx -batch -ex 'set startup-with-shell off' -ex run --args ./reads file 2>&1 |
	grep -q 'exited normally'; then
	# As in the manual, with the launcher of the tree.
	line=$(sed -n 's/^\$ \\fBgdb \\-ex "\(.*\)" \\-\\-args program\\fP$/\1/p' "$tree/scripts/man/rtaio.1" |
		sed 's/\\-/-/g')
	PATH=$tree/scripts:$PATH
	serves "a program is debugged" gdb -nx -batch -ex "$(eval "echo \"$line\"")" -ex run --args ./reads file
else
	skip "a program is debugged" "gdb is not installed, or cannot trace here"
fi

# ---- systemd ----

recipe 'A systemd service' | sed "s:/var/log/:$work/:" >rtaio-recipe.service
printf 'ExecStart=%s/reads %s/file\n' "$work" "$work" >>rtaio-recipe.service
mapfile -t variables < <(sed -n 's/^Environment=//p' rtaio-recipe.service)
if command -v systemd-analyze >/dev/null; then
	equal "systemd takes the unit" "$(systemd-analyze verify ./rtaio-recipe.service 2>&1 | grep -F rtaio-recipe)" ""
else
	skip "systemd takes the unit" "systemd-analyze is not installed"
fi
check "a service is served" env -i "${variables[@]}" "$refuse" "${system_service[@]}" -- ./reads file
check "its counters are appended when it ends" grep -q '^rtaio: statistics of process .*: 65 requests' rtaio.stats

# ---- MPI ----

# What starts the ranks of Open MPI must not be root, unless it is told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ranks() {
	rm -f ranks
	"$@" >/dev/null 2>&1
	grep -c 'statistics of process' ranks
}
if command -v mpirun.openmpi >/dev/null; then
	# shellcheck disable=SC2046 # words
	equal "Open MPI passes the variable to its ranks" "$(ranks timeout 60 $(
		recipe MPI | sed -e 's/^\$ \\fBmpirun/mpirun.openmpi --oversubscribe/' -e 's:program.*:./reads file:' \
			-e "s:-x LD:-x RTAIO_STATS=$work/ranks -x LD:"
	))" 2
	equal "or runs the launcher" "$(ranks timeout 60 mpirun.openmpi --oversubscribe -n 2 "$tree/scripts/rtaio" \
		"--stats=$work/ranks" ./reads file)" 2
else
	skip "Open MPI passes the variable to its ranks" "openmpi-bin is not installed"
fi
if command -v mpirun.mpich >/dev/null; then
	equal "so does MPICH" "$(ranks timeout 60 mpirun.mpich -n 2 -genv RTAIO_STATS "$work/ranks" \
		-genv LD_PRELOAD "$library" ./reads file)" 2
else
	skip "so does MPICH" "mpich is not installed"
fi

# ---- sudo and su ----

if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	LD_PRELOAD=$library serves_not "sudo drops the preload" sudo -n RTAIO_VERBOSE=1 ./reads file
	LD_PRELOAD=$library serves_not "also with -E" sudo -n -E ./reads file
	serves "the launcher behind sudo serves" sudo -n "$tree/scripts/rtaio" --verbose ./reads file
else
	skip "sudo drops the preload" "sudo is not installed, or asks for a password"
fi

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null || ! command -v su >/dev/null; then
	skip "su and programs of others" "only root can be another user"
	finish
	exit
fi
as_root=(su -s /bin/sh root -c)
serves_not "su - drops the preload" env LD_PRELOAD="$library" su - root -c "cd $work && RTAIO_VERBOSE=1 ./reads file"
serves "the launcher behind su serves" "${as_root[@]}" "$tree/scripts/rtaio --verbose ./reads file"
serves "su of root itself keeps it" env LD_PRELOAD="$library" "${as_root[@]}" './reads file'
# Without a password there is no su for others; it is a set-user-ID program like this one.
cp "$(command -v env)" setuid-env && chmod 4755 setuid-env
if [ "$("${NOBODY[@]}" ./setuid-env id -u 2>/dev/null)" = 0 ]; then
	equal "a set-user-ID program, and what it runs, loses the variable" \
		"$(KEPT=1 LD_PRELOAD=/nowhere/x "${NOBODY[@]}" ./setuid-env 2>/dev/null | grep -e ^KEPT -e ^LD_)" KEPT=1
else
	skip "a set-user-ID program, and what it runs, loses the variable" \
		"this file system or container gives a program no other rights"
fi

# ---- roots of their own ----

# make_root dir program...: with the libraries of the programs, and ours where the recipes have it.
make_root() {
	local root=$1 file
	shift
	mkdir -p "$root"/{bin,etc,proc,tmp,usr/local/lib}
	cp "$@" "$root/bin"
	for file in $(ldd "$@" "$library" | sed -n 's:^\t\(.* => \)\{0,1\}\(/[^ ]*\) (.*:\2:p' | sort -u); do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
	cp -L "$library" "$root/usr/local/lib/librtaio.so.0"
	cp file "$root/tmp"
	chmod 1777 "$root/tmp"
}

if ! unshare -m -p -f true 2>/dev/null; then
	skip "containers" "no namespaces here"
	finish
	exit
fi
make_root root "$(command -v sh)" "$(command -v cat)" "$(command -v id)" "$(command -v env)" ./reads
cp -a root image

# In namespaces of its own, with the filter of Docker's default profile.
# shellcheck disable=SC2016 # the other shell expands it
isolated=(unshare -m -p -f -i -u sh -c 'mount -t proc proc "$0"/proc && exec "$@"')
contained=("${isolated[@]}" image "$refuse" "${docker[@]}" -- chroot image)
variable=$(sed -n 's/^ENV //p' "$tree/scripts/man/rtaio.7")
serves "a container is served" "${contained[@]}" env -i RTAIO_VERBOSE=1 "$variable" /bin/reads /tmp/file
serves_not "without the variable it is not" "${contained[@]}" env -i RTAIO_VERBOSE=1 /bin/reads /tmp/file

# All programs of a system.
sh -c "cd root/etc && $(sed -n 's/^# \\fB\(echo .*\) >.*\\fP/\1 >ld.so.preload/p' "$tree/scripts/man/rtaio.7")"
check "a path of ld.so.preload is that of the manual" [ -e "root/$(cat root/etc/ld.so.preload)" ]
serves "every program of a root is served" chroot root /bin/reads /tmp/file
equal "each starts, and says what it always does" "$(chroot root /bin/sh -c '/bin/id -u; /bin/env -i; echo $?' 2>&1)" \
	$'0\n0'
chmod 4755 root/bin/reads root/bin/cat
as_nobody=("${isolated[@]}" root chroot --userspec=65534:65534 root)
if [ -z "$("${as_nobody[@]}" /bin/env LD_DEBUG=statistics /bin/cat /tmp/file 2>&1 | tr -d '\0')" ]; then
	check "a set-user-ID program has the library" grep -q '/usr/local/lib/librtaio.so.0$' \
		<<<"$("${as_nobody[@]}" /bin/cat /proc/self/maps)"
	equal "it obeys nothing of its environment" "$(RTAIO_VERBOSE=1 RTAIO_STATS=/tmp/stats RTAIO_BACKEND=fast \
		RTAIO_NONSENSE=1 "${as_nobody[@]}" /bin/reads /tmp/file 2>&1; echo $?; ls root/tmp)" $'0\nfile'
else
	skip "a set-user-ID program has the library" "this file system or container gives a program no other rights"
fi
printf '/usr/local/lib/missing.so\n' >root/etc/ld.so.preload
check "a file that is missing is reported, and no more" grep -q 'missing.so.*cannot be preloaded.*: ignored' \
	<<<"$(chroot root /bin/reads /tmp/file 2>&1)"
head -c 8192 "$library" >root/usr/local/lib/half.so
printf '/usr/local/lib/half.so\n' >root/etc/ld.so.preload
equal "one that was cut off stops every program" "$(chroot root /bin/id -u 2>/dev/null || echo stopped)" stopped
finish
