#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stress-ng.sh - unmodified stress-ng, which learns of its completions in a signal handler
#
# Its aio stressor keeps some requests in flight on a file and starts the next from a loop that the
# completion signals interrupt. It must run to its end without a failure, have made progress, and
# have been served by the library. The full form prints the operations per second with glibc as well.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"
# shellcheck source=test/support/programs.sh
. "$tree/test/support/programs.sh"

programs_options "$@"

work=
seconds=2
requests=(16 1000)
if [ -n "$programs_full" ]; then
	seconds=20
	requests=(1 16 64 1000 4096)
fi

# run_stress backend requests: output goes to $work/output.
run_stress() {
	with_backend "$1" stress-ng --aio 2 --aio-requests "$2" --verify --timeout "$seconds" \
		--metrics-brief --temp-path "$work" >"$work/output" 2>&1
}

# Prints the operations per second of real time, a whole number, 0 if there were none.
rate() {
	awk '$1 == "stress-ng:" && $4 == "aio" && NF == 10 { rate = $9 }
		END { printf "%.0f\n", rate }' "$work/output"
}

# run_case backend requests what-glibc-does
run_case() {
	local name="$1: two stressors with $2 requests each" problem=
	run_stress "$1" "$2" || problem="stress-ng ended with status $?"
	[ -n "$problem" ] || problem=$(grep -iE 'fail|unsuccessful|skipp' "$work/output")
	[ -n "$problem" ] || problem=$(was_served "$1" "$work/output")
	[ -n "$problem" ] || [ "$(rate)" -gt 0 ] || problem="no operation was completed"
	if [ -n "$problem" ]; then
		fail "$name" "$problem"$'\n'"$(tail -15 "$work/output")"
	else
		pass "$name ($(rate) operations a second$3)"
	fi
}

run_backend() {
	local backend=$1 nr glibc=
	for nr in "${requests[@]}"; do
		# Anew each time, because what else the machine does is to meet both.
		if [ -n "$programs_full" ]; then
			run_stress glibc "$nr"
			glibc=", glibc $(rate)"
		fi
		run_case "$backend" "$nr" "$glibc"
	done
}

if ! command -v stress-ng >/dev/null; then
	skip "stress-ng" "stress-ng is not installed: apt install stress-ng"
	finish
	exit
fi
work=$(mktemp -d "$programs_dir/stress-ng.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
for backend in "${programs_backends[@]}"; do
	run_backend "$backend"
done
finish
