#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sections.sh - what scripts write into documents: a section is replaced, rows of other machines stay
#
# usage: test/scripts/sections.sh

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=test/support/results.sh
. test/support/results.sh

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
document=$work/document.md

# make_document HEADER: with two sections.
make_document() {
	cat >"$document" <<EOT
Before.
<!-- other -->
| kernel | CPUs | auto |
|---|---|---|
| 9.1 | 1 | other |
<!-- /other -->
<!-- kernels -->
$1
|---|---|---|
| 5.10 | 1 | old |
| 5.10 | 2 | old |
| 6.12 | 2 | old |

Old text.
<!-- /kernels -->
After.
EOT
}

print_table() {
	cat <<'EOT'
| kernel | CPUs | auto |
|---|---|---|
| 6.12 | 1 | new |
| 5.10 | 2 | new |
| 6.1 | 2 | new |

New text.
EOT
}

# section_is TEST EXPECTED: what is between the comments, without the two lines of the header.
section_is() {
	equal "$1" "$(sed -n '/^<!-- kernels -->/,/^<!-- \/kernels -->/p' "$document" | sed -e '/^</d' -e '1,3d')" "$2"
}

make_document '| kernel | CPUs | auto |'
print_table | update_section kernels "$document" 2
section_is "rows of the same name are replaced, others stay" "| 5.10 | 1 | old |
| 5.10 | 2 | new |
| 6.1 | 2 | new |
| 6.12 | 1 | new |
| 6.12 | 2 | old |

New text."
equal "the rest of the document stays" "$(grep -v new "$document" | sed '/^<!-- kernels/,/^<!-- .kernels/d')" "Before.
<!-- other -->
| kernel | CPUs | auto |
|---|---|---|
| 9.1 | 1 | other |
<!-- /other -->
After."

make_document '| kernel | CPUs | glibc |'
cp "$document" "$work/before"
if print_table | update_section kernels "$document" 2 2>"$work/error"; then
	fail "rows with other columns are not lost" "status 0"
else
	equal "rows with other columns are not lost" "$(cat "$document")" "$(cat "$work/before")"
	equal "and they are named" "$(cat "$work/error")" "not replaced, but has other columns: | 5.10 | 1 | old |
not replaced, but has other columns: | 6.12 | 2 | old |"
fi

print_whole_table() {
	print_table | sed -e '/6.1 /d' -e 's/| 6.12 | 1 |/| 6.12 | 2 |/'
	echo "| 5.10 | 1 | new |"
}

make_document '| kernel | CPUs | glibc |'
print_whole_table | update_section kernels "$document" 2
section_is "if all rows are replaced, the columns can change" "| 5.10 | 1 | new |
| 5.10 | 2 | new |
| 6.12 | 2 | new |

New text."

make_document '| kernel | CPUs | auto |'
print_table | write_section kernels "$document"
section_is "a section can be replaced whole" "| 6.12 | 1 | new |
| 5.10 | 2 | new |
| 6.1 | 2 | new |

New text."

if print_table | write_section missing "$document" 2>"$work/error"; then
	fail "a section that is missing is an error" "status 0"
else
	equal "a section that is missing is an error" "$(cat "$work/error")" "sections.sh: $document has no section \"missing\""
fi

finish
