#!/bin/bash
# SPDX-License-Identifier: MIT
#
# conformance.sh - rtaio-conformance: what its filter chooses, and what its reports show
#
# The reports are made from results that are written down here. The page is opened in a headless
# Chromium, as wide as a desktop and as a telephone, by a page with two frames that looks into them.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-conformance-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

long=$(printf 'word%02d ' $(seq 60))
long=${long% }
name=test_of_a_name_that_is_longer_than_a_telephone_is_wide_and_has_no_space_at_which_a_line_could_end
cat >assertions <<EOF
## What is required

### First things

| id | kind | promise | proof |
|---|---|---|---|
| first-01 | shall | $long | test_one: test_passes |
| first-02 | shall | glibc is at fault | test_one: test_defect |
| first-03 | shall | rtaio differs on purpose | test_one: test_differs, $name |
| first-04 | may | Nobody asks | gap: a permission |

### Second things

| id | kind | promise | proof |
|---|---|---|---|
| second-01 | shall | Some machines cannot | test_two: test_skips, test_passes |
| second-02 | shall | This one fails | test_two: test_fails |

## What is beyond | it

### Third things

| id | kind | promise | proof |
|---|---|---|---|
| third-01 | own | A call that glibc does not have | test_four: test_call |
| third-02 | own | What else it does | test_four: test_call, test_other_call |
| third-03 | other | A call that nobody has | gap: it is not there |
EOF
cat >differences <<EOF
glibc test_one test_defect the reason of the defect
threads test_one test_differs the reason of the difference
EOF
for implementation in glibc auto io_uring libaio threads; do
	printf '%s\t%s\t%s\t%s\t%s\n' \
		"$implementation" test_one pass test_passes '' \
		"$implementation" test_one "$([ $implementation = glibc ] && echo xfail || echo pass)" test_defect '' \
		"$implementation" test_one "$([ $implementation = threads ] && echo xfail || echo pass)" test_differs '' \
		"$implementation" test_one pass "$name" '' \
		"$implementation" test_two skip test_skips 'skipped: no such device' \
		"$implementation" test_two pass test_passes '' \
		"$implementation" test_two "$([ $implementation = libaio ] && echo fail || echo pass)" test_fails 'first line\037second line' \
		"$implementation" test_three pass test_of_no_requirement ''
	for test in test_call test_other_call; do
		printf '%s\t%s\t%s\t%s\t%s\n' "$implementation" test_four \
			"$([ $implementation = glibc ] && echo skip || echo pass)" "$test" 'skipped: no such call'
	done
done | sed 's/\\037/\x1f/' >results
cut -f2,4 results | sort -u >tests
printf 'kernel\tLinux of a long name %s\n' "$long" >facts
# Rows to scroll through.
for i in $(seq 30); do
	printf 'auto\ttest_three\tpass\ttest_more_%s\t\n' "$i"
done >>results

# report mode option...: of what was run, or with "select" of what could be
report() {
	local mode=$1
	shift
	awk -v mode="$mode" "$@" -f "$tree/scripts/conformance-report" kind=facts facts \
		kind=differences differences kind=assertions assertions kind=tests tests \
		kind=results "$([ "$mode" = select ] && echo /dev/null || echo results)"
}

report text >short
equal "the counts come last" "$(tail -n 6 short | awk '{ print $1, $2 }' | tr '\n' ' ')" \
	"pass skipped glibc 4 auto 37 io_uring 7 libaio 6 threads 6 "
report text -v all=1 >full
check "no text is cut" [ "$(tr -s ' \n' ' ' <full | grep -c -F "first-01: $long")" = 1 ]
check "lines are short all the same" [ "$(awk '!/Linux/ && length > 100' full | wc -l)" = 0 ]
flat=$(tr -s ' \n' ' ' <full)
for reason in "- glibc defect: the reason of the defect" \
	"- threads differs: the reason of the difference (1 of 2 tests)" \
	"- libaio FAIL: first line second line" "skipped: no such device (1 of 2 tests)" \
	"gaps: no test asks for these first-04: Nobody asks - a permission" \
	"third-02: What else it does - glibc skipped: no such call"; do
	check "told is: $reason" grep -q -F -e "$reason" <<<"$flat"
done
flat=$(tr -s ' \n' ' ' <short)
for text in "Third things skipped pass pass pass pass third-01, third-02 - glibc skipped: no such call test_" \
	"second-01: Some machines cannot - glibc, auto, io_uring, libaio, threads skipped: no such device (1 of" \
	"What is beyond | it 3 rows, 1 of them a gap: glibc 2 skipped; auto 2 pass; io_uring 2 pass;"; do
	check "told in short: $text" grep -q -F -e "$text" <<<"$flat"
done
report markdown >table
one="3 pass, 1 differs, 1 skipped" four="4 pass, 1 skipped"
equal "each part of the list has a row of counts" "$(sed -n '/^|/p' table)" \
	"| | glibc | auto | io_uring | libaio | threads |
|---|---|---|---|---|---|
| What is required | $one | $four | $four | 3 pass, 1 skipped, 1 FAIL | $one |
| What is beyond \\| it | 2 skipped | 2 pass | 2 pass | 2 pass | 2 pass |
| Further tests | 1 pass | 31 pass | 1 pass | 1 pass | 1 pass |"
equal "glibc does not differ where it has no call" "$(grep -o 'glibc differs in .*' table)" "glibc differs in first-02."
check "the page counts the parts" grep -q -F \
	'<dt>What is beyond | it</dt><dd>3 rows, 1 of them a gap: glibc 2 skipped; auto 2 pass;' <(report html)

# chosen pattern: the tests, without their common beginning.
chosen() {
	report select -v filter="$1" | sed 's/^test_[a-z]*\ttest_//' | tr '\n' ' '
}
equal "an id chooses its tests" "$(chosen second-01)" "skips passes "
equal "so does a pattern of ids" "$(chosen 'first-0[12]'; chosen 'First-0?')" \
	"passes defect differs ${name#test_} "
equal "a section does" "$(chosen 'Second things')" "skips passes fails "
equal "a part does" "$(chosen 'What is beyond*')" "call other_call "
equal "a section of tests that no requirement names does" \
	"$(report select -v filter='test_three, further tests')" "test_three	test_of_no_requirement"
equal "a test is chosen in each program that has it" "$(report select -v filter='test_passes' | tr '\n\t' '  ')" \
	"test_one test_passes test_two test_passes "
equal "a gap is told" "$(report select -v filter=first-04)" "	first-04: a permission"
equal "what is not there chooses nothing" "$(chosen fourth-01)" ""
equal "only the rows that were chosen are reported" \
	"$(report text -v all=1 -v filter=second-02 | grep -c -E '(first|second)-0')" 1

# The same on the real ones.
conformance=$tree/scripts/rtaio-conformance
if [ -x "$tree/build/test/conformance/test_header" ]; then
	# says test status pattern option...: of the tool, which asks glibc only.
	says() {
		local test=$1 status=$2 pattern=$3 output actual
		shift 3
		output=$(timeout 300 "$conformance" --quiet --all --implementation=glibc "$@" 2>&1)
		actual=$?
		if [ $actual -ne "$status" ]; then
			fail "$test" "status $actual, expected $status: $output"
		elif ! tr -s ' \n' ' ' <<<"$output" | grep -q -E -e "$pattern"; then
			fail "$test" "no '$pattern': $output"
		else
			pass "$test"
		fi
	}
	says "an id that is printed can be asked for" 0 'pass header-03: .* glibc 1 0 0 0 0 $' --filter=header-03
	says "a section that is printed can be asked for" 0 \
		' <aio.h>, limits and options pass header-01: .* glibc 9 0 0 0 0 1 $' \
		--filter='<aio.h>, limits and options'
	says "a test that is not there" 2 "^rtaio-conformance: no test matches 'nonsense' $" --filter=nonsense
	says "what glibc does not have is skipped" 0 \
		' skipped waitcomplete-05: .* - glibc skipped: the implementation has no aio_waitcomplete .* glibc 0 1 0 0 0 $' \
		--filter=waitcomplete-05
	says "a gap" 2 "no test matches 'header-05', it is a gap: header-05: a permission" --filter=header-05
else
	skip "the filter of rtaio-conformance" "the tests have not been built"
fi

# --- the page in a browser ---

browser=
for program in chromium chromium-browser google-chrome; do
	browser=${browser:-$(command -v $program)}
done
if [ -z "$browser" ]; then
	skip "the page in a browser" "there is no Chromium"
	finish
	exit
fi
report html >page.html
cat >frames.html <<'EOF'
<!doctype html><body><pre id=out></pre>
<iframe name=desktop src=page.html style="width: 1280px; height: 800px; border: 0"></iframe>
<iframe name=phone src=page.html style="width: 390px; height: 700px; border: 0"></iframe>
<script>
const lines = [];
function check(name, is_good, seen) {
	lines.push((is_good ? 'pass ' : 'fail ') + name + '\t' + (seen ?? ''));
}
function is_seen(doc, element) {
	const box = element.getBoundingClientRect();
	const top = doc.elementFromPoint(box.left + 3, box.top + 3);
	return box.width > 0 && box.left >= 0 && box.right <= doc.documentElement.clientWidth &&
		top !== null && element.contains(top);
}
function filter_by(doc, word, kind) {
	doc.getElementById('filter').value = word;
	doc.getElementById('show').value = kind;
	doc.getElementById('filter').oninput();
	const ids = [...doc.querySelectorAll('#matrix tbody tr:not(.section), .why')]
		.filter(e => e.getClientRects().length > 0)
		.map(e => e.querySelector('b, code')?.textContent ?? '(' + e.textContent + ')');
	return ids.join(' ');
}
function look(frame) {
	const doc = frame.contentDocument, name = frame.name + ': ';
	const root = doc.documentElement;
	check(name + 'nothing is wider than the page', root.scrollWidth <= root.clientWidth, root.scrollWidth);
	const row = doc.getElementById(doc.querySelector('.why[id$=FAIL]').dataset.row);
	row.scrollIntoView({ block: 'center' });
	const cells = [...row.querySelectorAll('td[data-name]')];
	check(name + 'each implementation is seen', cells.length === 5 && cells.every(c => is_seen(doc, c)));
	const links = [...doc.querySelectorAll('td a, .why a')];
	const lost = links.filter(link => {
		link.click();
		return !is_seen(doc, doc.querySelector(link.getAttribute('href')));
	});
	check(name + 'the target of each link is seen', links.length > 9 && lost.length === 0,
		lost.map(l => l.href).join(' '));
	const legend = doc.querySelector('.legend').textContent;
	check(name + 'the legend explains results and columns', ['pass', 'differs', 'defect', 'skipped', 'gap',
		'FAIL', 'glibc', 'auto', 'io_uring', 'libaio', 'threads'].every(word => legend.includes(word)), legend);
	check(name + 'reasons are in parts', [...doc.querySelectorAll('.reasons h2')].map(h => h.textContent).join() ===
		'Failures,Deliberate differences,Defects of glibc,Skipped,Gaps');
	const cases = [['second-01', '', 'second-01 second-01'], ['reason of the DEFECT', '', 'first-02 first-02'],
		['nonsense', '', ''], ['', 'differs', 'first-03 first-03'], ['', 'gap', 'first-04 third-03 first-04 third-03']];
	for (const [word, kind, wanted] of cases) {
		const seen = filter_by(doc, word, kind);
		check(name + 'the filter ' + (word || kind), seen === wanted, seen);
	}
	check(name + 'the number of rows is told', doc.getElementById('count').textContent.startsWith('2 of '));
}
onload = () => {
	try {
		for (const frame of document.querySelectorAll('iframe'))
			look(frame);
	} catch (error) {
		check('no error', false, error.stack);
	}
	document.getElementById('out').textContent = '\n' + lines.join('\n') + '\nend\n';
};
</script>
EOF
# Chromium's own sandbox is not for root, and needs what many containers refuse.
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
	--allow-file-access-from-files --user-data-dir="$work/profile" --window-size=1400,1700 \
	--virtual-time-budget=10000 --dump-dom "file://$work/frames.html" >dom 2>browser.log
if ! grep -q '^end$' dom; then
	if grep -q '<pre id="out"' dom; then
		fail "the page in a browser" "$(cat dom)"
	else
		skip "the page in a browser" "$browser does not run here: $(tail -n 1 browser.log)"
	fi
	finish
	exit
fi
while IFS=$'\t' read -r line seen; do
	case $line in
	'pass '*) pass "${line#pass }" ;;
	'fail '*) fail "${line#fail }" "$seen" ;;
	esac
done <dom
finish
