#!/bin/bash
# SPDX-License-Identifier: MIT
#
# completion.sh - what bash offers behind `rtaio`

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"
# shellcheck source=scripts/rtaio.bash-completion
. "$tree/scripts/rtaio.bash-completion"

# offers test expected word...: the words as bash splits them, the last is under the cursor.
offers() {
	local test=$1 expected=$2
	shift 2
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_rtaio 2>/dev/null
	equal "$test" "${COMPREPLY[*]}" "$expected"
}

offers "options by their beginning" "--librt --library-path" rtaio --lib
offers "the version as well" "--verbose --version" rtaio --ver
offers "backends behind an equals sign" "auto io_uring libaio threads glibc" rtaio --backend =
offers "a backend that was begun" "io_uring" rtaio --backend = io
offers "a backend as a word of its own" "threads" rtaio --backend th
offers "an option behind another" "--inline=" rtaio --backend = auto --depth 64 --in
offers "the values of inline" "0 1" rtaio --inline ''
offers "the values of offload" "0 1" rtaio --offload = 
# is_offered WORD word...: is it among what is offered?
is_offered() {
	COMP_WORDS=("${@:2}")
	COMP_CWORD=$(($# - 2))
	_rtaio 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}" | grep -q -x -e "$1"
}

check "dump is offered as a command" is_offered dump rtaio dum
offers "the options of dump" "--all" rtaio dump --a
sleep 1000 &
LD_PRELOAD=$tree/build/librtaio.so sleep 1000 &
check "a process loads the library" timeout 20 sh -c "until grep -q librtaio /proc/$!/maps; do :; done"
check "dump is offered processes that have the library" is_offered "$!" rtaio dump "$!"
equal "but no others" "$(is_offered "$(jobs -p | head -1)" rtaio dump ''; echo $?)" 1
kill %1 %2
offers "a command behind the options" "truncate" rtaio --stats --verbose trunc
offers "a command behind --" "truncate" rtaio -- trunc
offers "subcommands where a command may be first" "explain" rtaio explai
offers "the second one" "check" rtaio chec
offers "but not behind an option" "" rtaio --verbose explai
offers "options of explain behind it" "--json --json=" rtaio explain --js
offers "and none of them before" "" rtaio --js
offers "the others as well" "--depth=" rtaio explain --json --dep
offers "a command behind explain" "truncate" rtaio explain --json --output = file --depth 4 trunc
offers "a command behind explain --" "truncate" rtaio explain -- trunc
offers "options of check behind it" "--memory" rtaio check --mem
offers "and all others" "--busy-poll=" rtaio check --memory --bu
offers "a command behind check" "truncate" rtaio check --output = file --memory trunc
offers "its options nowhere else" "" rtaio --mem
cd "$tree/scripts" || exit 1
offers "files for rtaio dump" "check-exports" rtaio dump check-e
offers "a file for --output" "check-exports" rtaio explain --output check-e
offers "a file for --json=" "check-exports" rtaio explain --json = check-e
offers "files for the command, without its own completion" "check-exports" rtaio ls check-e
offers "files, also behind options of the command" "check-layers" rtaio --depth 4 ls -l check-la
_command_offset() {
	COMPREPLY=("offset $1")
}
offers "the command's own completion, where there is one" "offset 4" \
	rtaio --backend = auto ls --col

finish
