#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sample.sh - do the tests notice a few faults made by rule? In a minute, for make check
#
# It is always the same sample, as long as the lines are the same. Without the map that tells which test
# reaches which line, much stays undecided: scripts/check-mutants --generated does it thoroughly.

cd "$(dirname "$0")/../.." || exit 2
exec scripts/check-mutants --generated --sample 8 --seed 1 --seconds 60
