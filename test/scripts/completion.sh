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
offers "a command behind the options" "truncate" rtaio --stats --verbose trunc
offers "a command behind --" "truncate" rtaio -- trunc
cd "$tree/scripts" || exit 1
offers "files for the command, without its own completion" "check-exports" rtaio ls check-e
offers "files, also behind options of the command" "check-layers" rtaio --depth 4 ls -l check-la
_command_offset() {
	COMPREPLY=("offset $1")
}
offers "the command's own completion, where there is one" "offset 4" \
	rtaio --backend = auto ls --col

finish
