# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# mutants.sh - how a library with a fault is built and tested
#
# check-mutants and check-generated source this file in the top directory. They set $dir to a directory
# of their own below build/.

# So many faults are tried at a time: much of their time the tests wait.
jobs=${JOBS:-2}
CC=${CC:-gcc}
pristine=${dir:?}/pristine
# A fault may keep an event from coming; then a test need not wait for it for long. But it must have
# time to see for three seconds that an idle process costs nothing.
export RTAIO_TEST_DEADLINE_MS=8000 RTAIO_TEST_SECONDS=1
# A fault may kill others or leave processes behind.
confined=(unshare --pid --fork --mount-proc --kill-child)
"${confined[@]}" true 2>/dev/null || confined=(setsid --wait)

die() {
	echo "check-mutants: $*" >&2
	exit 2
}

# make_tree TREE: to build and test in; the programs of the tests, which no fault changes, are shared.
make_tree() {
	mkdir -p "$1/build" || exit 2
	cp -a Makefile LICENSE README.md CHANGELOG.md include scripts shim test "$1" || exit 2
	[ ! -e config.mak ] || cp -a config.mak "$1"
	if ! { cp -a build/shim build/librt build/rtaio-status build/rtaio-dump build/deps-found build/librtaio.so* "$1/build" &&
		cp -al build/test "$1/build"; }; then
		die "build the library and the tests first: make all tests"
	fi
	make_in "$1" all || die "the library does not build"
}

# renew_tree TREE: the sources and objects without a fault.
renew_tree() {
	rm -rf "$1/shim" "$1/build/shim"
	cp -a "$pristine/shim" "$1" && cp -a "$pristine/build/shim" "$1/build" || exit 2
	# Programs that were linked with a fault are older than these.
	find "$1/build/shim" -name '*.o' -exec touch {} +
}

# make_in TREE TARGET [NAME=VALUE]...: only what changed is compiled.
make_in() {
	local tree=$1
	shift
	# shellcheck disable=SC2086 # a command and its arguments
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL ${WRAPPER-} make -C "$tree" -s -j $jobs WERROR=0 "$@" >"$tree/make.log" 2>&1
}

# notices TREE KIND PROGRAM [TEST [NAME=VALUE]]: prints the first test with an unexpected result.
# Status 1: there is none.  2: no test was run.  The KIND is a backend, "unit", or "script".
notices() {
	local tree=$1 kind=$2 program=$3 test=${4-} setting=${5:-RTAIO_TEST_SECONDS=1} limit_s=60
	local results=$1/results.$BASHPID # several jobs try the tree without a fault
	[ -z "$test" ] || limit_s=30
	rm -f "$results"
	case $kind in
	unit)
		make_in "$tree" "build/test/unit/$program" || return 2
		# shellcheck disable=SC2086 # a command and its arguments
		RTAIO_TEST_FILTER=$test ${WRAPPER-} timeout -k 5 30 "${confined[@]}" "$tree/build/test/unit/$program" \
			>"$results" 2>&1 </dev/null && return 1
		echo "unit:$program:$(sed -n 's/^not ok [0-9]* - //p; s/.*\[  FAILED  \] //p' "$results" | head -n 1)"
		;;
	script)
		make_in "$tree" all || return 2
		(cd "$tree" && ${WRAPPER-} timeout -k 5 480 "${confined[@]}" bash "$program") >"$results" 2>&1 </dev/null && return 1
		echo "$program: $(sed -n 's/^FAIL //p' "$results" | head -n 1)"
		;;
	*)
		${WRAPPER-} timeout -k 5 90 env WRAPPER= "$setting" "${confined[@]}" scripts/run-tests --library "$tree/build/librtaio.so" \
			--implementation "$kind" --timeout $limit_s --test "$test" --results "$results" "$program" \
			>/dev/null 2>&1 </dev/null
		awk -F '\t' '
			$3 == "fail" || $3 == "xpass" { print $1 ":" $2 ":" $4; found = 1; exit }
			$3 != "skip" { nr++ }
			END { exit found ? 0 : nr ? 1 : 2 }' "$results" 2>/dev/null
		;;
	esac
}

# is_sound KIND PROGRAM [TEST [NAME=VALUE]]: does it pass without a fault?  What fails by itself tells
# nothing.  Status 2: no test was run.
is_sound() {
	local mark="$dir/sound/${*//\//,}"
	mkdir -p "$dir/sound"
	if [ ! -e "$mark" ]; then
		notices "$pristine" "$@" >/dev/null
		echo $? >"$mark.new.$BASHPID" && mv "$mark.new.$BASHPID" "$mark"
	fi
	case $(cat "$mark") in
	1) return 0 ;;
	2) return 2 ;;
	esac
	return 1
}

# report RESULT BEGAN NAME TEXT
report() {
	printf '%-9s %3d s  %-42s %s\n' "$1" $((SECONDS - $2)) "$3" "$4" | tee -a "$dir/report"
}

# in_trees COMMAND...: the lines of standard input, each in one of $jobs trees: COMMAND TREE FIELD...
# A tree takes the next line when it has done one, since some take minutes.
in_trees() {
	local job line
	cat >"$dir/list"
	exec 8<"$dir/list"
	for ((job = 0; job < jobs; job++)); do
		(
			make_tree "$dir/tree.$job"
			exec 9>"$dir/lock"
			while flock 9 && IFS=$'\t' read -r -a line <&8; do
				flock -u 9
				"$@" "$dir/tree.$job" "${line[@]}" 8<&- 9>&-
			done
		) &
	done
	exec 8<&-
	wait
}
