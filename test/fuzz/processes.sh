#!/bin/bash
# SPDX-License-Identifier: MIT
#
# processes.sh - what two processes append to one file at once is never torn
#
# The fuzzer's own program for it, often enough that the two meet.

cd "$(dirname "$0")/../.." || exit 2
exec scripts/fuzz --implementation auto --repeat 100 test/fuzz/regressions/two-processes.txt
