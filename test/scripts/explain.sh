#!/bin/bash
# SPDX-License-Identifier: MIT
#
# explain.sh - what rtaio explain runs, prints and leaves behind
#
# Most commands here are make_file, which writes what processes would have noted, with known contents. The
# rules of the advice and the sums are tested by test/unit/test_explain_*.c.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-explain-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
rtaio=$tree/scripts/rtaio
make_file=$work/make_file
version=$("$rtaio" --version)
${CC:-cc} -D_GNU_SOURCE -DRTAIO_VERSION="\"${version#rtaio }\"" -I"$tree/shim" -o "$make_file" \
	"$tree/test/explain/make_file.c" || exit 1

# explain argument...: the report is in the file report, its status is returned.
explain() {
	timeout 60 "$rtaio" explain --output=report "$@" </dev/null
}

# says test pattern...: the report has a line for each.
says() {
	local test=$1 pattern
	shift
	for pattern in "$@"; do
		grep -q -E -e "$pattern" report && continue
		fail "$test" "no '$pattern': $(cat report)"
		return
	done
	pass "$test"
}

# ends test status argument...
ends() {
	local test=$1 status=$2
	shift 2
	explain "$@" 2>message
	equal "$test" "$?" "$status"
}

ends "the command's status is explain's" 7 sh -c 'exit 7'
ends "so is the signal that has killed it" 137 sh -c 'kill -KILL $$'
ends "a command that is not there" 127 no-such-command
ends "a script whose interpreter is not there" 127 sh -c 'printf "#!/nowhere\n" >script; chmod +x script; ./script'
equal "nothing is on standard output" "$(explain true)" ""
equal "but what the command writes" "$(explain echo written)" written
equal "without --output the report is on standard error" \
	"$("$rtaio" explain true 2>&1 >/dev/null | grep -c -x -e 'rtaio explain: true' -e 'It ended with status 0 after .*')" 2
equal "it reads what is on standard input" "$(echo word | "$rtaio" explain cat 2>/dev/null)" word
ends "a report that cannot be written is found before the command runs" 125 \
	--json=/nowhere/report touch was-run
check "and the command is not run" test ! -e was-run
if [ -w /dev/full ]; then
	"$rtaio" explain --output=/dev/full true 2>message
	equal "a device without room" "$?" 125
	check "is named" grep -q 'No space left' message
	"$rtaio" explain --output=/dev/full sh -c 'exit 9' 2>message
	equal "the command's status goes first" "$?" 9
fi
ends "two reports in one place" 125 --json --html true
check "are refused" grep -q -e '--json and --html exclude each other' message

# What the command sees.
# shellcheck disable=SC2016 # the variables are the command's
explain sh -c 'echo "$RTAIO_EXPLAIN"; stat -c %a "$RTAIO_EXPLAIN"; tr "\0" "\n" <"/proc/$PPID/environ"' >seen
directory=$(head -1 seen)
equal "nobody else can list the directory" "$(sed -n 2p seen)" "$([ "$(id -u)" -ne 0 ] && echo 700 || echo 1733)"
check "it is removed" test -n "$directory" -a ! -e "$directory"
equal "rtaio-explain itself runs without the library" "$(grep -c -e '^LD_PRELOAD' -e '^RTAIO_' seen)" 0
equal "the launcher's options go to the command" \
	"$("$rtaio" explain --backend=threads --output=report --depth=3 env | grep -e ^RTAIO_BACKEND -e ^RTAIO_DEPTH | sort |
		tr '\n' ' ')" "RTAIO_BACKEND=threads RTAIO_DEPTH=3 "
equal "signals are as they were" \
	"$(env --ignore-signal=HUP --ignore-signal=CHLD "$rtaio" explain --output=report \
		grep -e SigBlk -e SigIgn /proc/self/status)" \
	"$(env --ignore-signal=HUP --ignore-signal=CHLD sh -c 'exec grep -e SigBlk -e SigIgn /proc/self/status')"
# signalled signal: sent to rtaio-explain, while it waits for the command. A shell lets its background ignore two.
mkfifo ready never
signalled() {
	local pid
	# shellcheck disable=SC2016 # the variable is the command's
	env --default-signal=INT,QUIT timeout 60 "$rtaio" explain --output=report sh -c \
		'trap "exit 5" '"$1"'; exec 4<>never; echo "$PPID $RTAIO_EXPLAIN" >ready; while :; do read -r x <&4; done' &
	read -r pid directory <ready
	# A shell that is about to read may take it for later: then there is another one.
	while kill "-$1" "$pid" 2>/dev/null; do
		read -r -t 0.2 <>never
	done
	wait $!
	equal "SIG$1 goes to the command" "$?" 5
	check "a report is written then" grep -q '^rtaio explain: sh ' report
	check "and the directory is removed" test -n "$directory" -a ! -e "$directory"
}
for signal in INT TERM QUIT HUP; do
	signalled $signal
done

# ---- the report ----

${CC:-cc} -D_GNU_SOURCE -o reads "$tree/test/scripts/reads.c" -lrt || exit 1
head -c 1048576 /dev/zero >data

explain true
says "a command without AIO" '^No process of the command used POSIX AIO through rtaio: '
explain sh -c 'ulimit -f 1; exec ./reads data' 2>message
says "no room for what the process notes" '^Left out: .*, since there was no room for it$'
check "the library says so, too" grep -q '^rtaio: explain: no file in .*: File too large$' message
explain "$make_file" none
says "no request" 'made no request'
explain "$make_file" one
says "one request" '^1 request, 4 KiB$' '^Process 100, backend auto, 1 thread that used AIO$'
explain "$make_file" cold
says "cold reads" '^1,000 requests, 3\.9 MiB, in 2 s from the first to the last: 500/s, 2 MiB/s$' \
	'^  read, file, buffered +100 % +4 KiB +100 % +1 +100 %$' \
	'^  ring +the engine, by io_uring +100 %$' '^    its data were not in memory +100 %$' \
	'^  to completion +201 us +201 us +201 us +201 us$' '^  to collection .* 302 us +302 us +302 us +302 us$' \
	'^   below 300 us +#+ +100 %$' '^    100 % +3\.9 MiB +/data/file$' '^  \* 100 % of the reads were cold '
explain "$make_file" glibc
says "what glibc does not tell" '^  none +cancelled, .* +100 %$' '^  to completion +not known$'
explain "$make_file" several
says "several processes" '^780 requests, ' '^12 processes, of which these' \
	'^ +211 +120 requests +1 thread +auto +program 211$'
equal "ten are listed" "$(grep -c ' requests .* program 2' report)" 10
explain "$make_file" long-commands
says "a command that is too long or was written over" '^ +500 .* programx+ \.\.\.$' '^ +501 .* program$'
explain "$make_file" rare
says "one among ten thousand" '^10,001 requests' '^  write, file, buffered +<0\.1 %$' '^   below 3 ms +# +<0\.1 %'
explain "$make_file" sizes
says "more sizes than there is room for" '^ +16 KiB +5 % +16384 to 32767 +5 %$' '^ +others +25 % +others +25 %$'
equal "none is left out" "$(awk '/^Requests/ { inside = 1 } /^Served/ { inside = 0 }
	inside && NF > 3 { sum += $(NF - 1) } END { print sum }' report)" 100
explain "$make_file" bad cached
says "bad files are left out" '^1,000 requests' '^Left out: 300-short, since it is too short$' \
	'^Left out: 300-size, since another version' '^Left out: 300-version, since another version' \
	'^Left out: 300-young, since'
explain "$make_file" bad
says "if all are bad" 'cannot be used'
explain "$make_file" cut
says "a process that was killed" '^Process 400, .*, did not end by exit$' 'a sample of 500\.$'
explain "$make_file" odd-names
says "a name cannot write to the terminal" "^ +100 % .* /tmp/<b>&\"'.\\?\\?\\[31m\\?.*\.dat$"
equal "no line is wider than a page" "$(for scenario in cold several long-commands bad cut glibc; do explain "$make_file" $scenario &&
	awk 'length > 100' report; done)" ""
explain --compare "$make_file" compared 2>message
check "--compare warns" grep -q -e '--compare runs the command twice' message
says "--compare shows both" '^Compared with glibc +rtaio +glibc ' '^  requests +1,000 +1,000 +1\.00$' \
	'^  until collected, p50 +2 us +2 us +1\.00$'
equal "the second run decides if the first went well" \
	"$(explain --compare sh -c '[ ! -e second ] || exit 6; : >second' 2>/dev/null; echo $?)" 6
says "and a difference is said" 'ended differently'

# ---- for programs ----

if command -v jq >/dev/null; then
	explain --json "$make_file" odd-names
	equal "JSON: a name with any bytes" "$(jq -r '.run.files[0].path' report)" \
		$'/tmp/<b>&"\'\\\n\e[31m\xef\xbf\xbd\xc3\xa9.dat'
	equal "JSON: the figures" "$(jq -c '[.format, .run.requests.submitted, .run.requests.bytes, .run.kinds[0].label,
		.run.lanes[0].share + 0, .run.completion.p50_ns, .run.collection.p99_ns, .glibc]' report)" \
		'[1,10,40960,"read, file, buffered",1,1000,2000,null]'
	explain --compare --json "$make_file" compared 2>/dev/null
	equal "JSON: both runs" "$(jq -c '[.run, .glibc | .requests.submitted, .completion.p50_ns]' report)" \
		'[1000,1000,1000,null]'
	explain --json "$make_file" bad several cut
	equal "JSON: what was left out" "$(jq -c '[(.run.left_out | length), (.run.processes | length)]' report)" '[4,13]'
	explain --json true
	equal "JSON: nothing" "$(jq -c '[.run.requests.submitted, .run.completion, .run.advice]' report)" '[0,null,[]]'
	explain --json=also.json "$make_file" cold
	says "JSON to a file leaves the other report" '^1,000 requests'
	equal "and is there" "$(jq -c '.run.advice[0].rule' also.json)" '"cold-alone"'
else
	skip "JSON" "jq is not installed"
fi
explain --html=page.html "$make_file" odd-names
says "HTML to a file leaves the other report" '^10 requests'
check "HTML: names are escaped" grep -q -F '/tmp/&#60;b&#62;&#38;&#34;&#39;' page.html
equal "HTML: nothing is fetched" "$(grep -c -i -e '<script' -e 'src=' -e 'href=' -e 'url(' page.html)" 0
explain --html "$make_file" syncs
equal "HTML: a sync has no size, as in the other report" \
	"$(tr -d '\n' <report | grep -o '<h2>Size</h2><table><tr><td>4 KiB</td><td class="n">100 %')" \
	'<h2>Size</h2><table><tr><td>4 KiB</td><td class="n">100 %'
explain --html --compare "$make_file" compared 2>/dev/null
check "HTML: the charts are there" sh -c 'grep -q "<svg viewBox" report && grep -q "Compared with glibc" report &&
	tail -1 report | grep -q "</html>"'
if command -v xmllint >/dev/null; then
	for page in "$make_file rare" "--compare $make_file compared" "$make_file bad several odd-names" true; do
		# shellcheck disable=SC2086 # these are words
		explain --html $page 2>/dev/null
		sed -e 's/<!DOCTYPE html>//' -e 's/<meta [^>]*>//' report >page.xml
		check "HTML: the page of ${page##*/} is well-formed" xmllint --noout page.xml
	done
else
	skip "HTML: the pages are well-formed" "xmllint is not installed"
fi

# ---- while it runs ----

mkfifo go stderr
timeout 60 "$rtaio" explain --progress --output=report sh -c "'$make_file' cached; read -r x <go" 2>stderr &
exec 3<stderr
progress=
while [[ $progress != *"1,000 requests"* ]] && IFS= read -r -d $'\e' -t 10 progress <&3; do :; done
check "progress is shown" grep -q -x -E '.*[0-9] s: 1,000 requests, [0-9.]+( k)?/s, 0 in flight' <<<"$progress"
echo >go
wait $!
exec 3<&-
"$rtaio" explain true 2>message
equal "but not where standard error is no terminal" "$(grep -c 'in flight' message)" 0

# ---- with real requests ----

# As if it had been linked with an old glibc.
${CC:-cc} -D_GNU_SOURCE -o old "$tree/test/scripts/reads.c" "$tree/build/librt/librt.so.1" || exit 1
explain --librt ./old data
says "a program that asks for librt.so.1" '^257 requests, '
${CC:-cc} -D_GNU_SOURCE -o syncs "$tree/test/explain/syncs.c" -lrt || exit 1
explain ./syncs data
says "a sync is never inline" '^64 requests, ' '^  fsync, file +100 %'
equal "not even if another one does its work" "$(grep -c '^  inline' report)" 0
${CC:-cc} -D_GNU_SOURCE -o lists "$tree/test/explain/lists.c" -lrt || exit 1
explain --json=counts ./lists data
check "each entry of a list is counted, but not those left out" \
	grep -q '"submitted": 200, "completed": 200, "collected": 200' counts
${CC:-cc} -D_GNU_SOURCE -o vectors "$tree/test/explain/vectors.c" -lrt -ldl || exit 1
explain ./vectors data
says "a vectored request counts with the bytes of all its buffers" '^64 requests, 188 KiB, ' ' 2 KiB to 4 KiB +100 %'
for backend in auto io_uring libaio threads glibc; do
	explain --backend=$backend --json ./reads data
	if command -v jq >/dev/null; then
		equal "the reads of a program on $backend" \
			"$(jq -c '.run | [.requests.submitted, .requests.collected, .processes[0].backend, .depths[0].label,
				.notifications[0].label]' report)" "[257,257,\"$backend\",\"1\",\"none\"]"
	fi
done
# Each read takes a worker at least one call.
truncate -s 512M sparse
explain --backend=threads --inline=0 --html=page.html ./reads sparse
not_counted=$(sed -n 's/^  system calls  *not counted: //p' report)
case $not_counted in
'') equal "system calls are counted" "$(awk '$1 == "system" { print ($3 >= 1 && $3 < 100) }' report)" 1 ;;
*run\ for\ long*) fail "system calls are counted" "$not_counted" ;;
*) skip "system calls are counted" "$not_counted" ;;
esac
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	# What a user may not do has a remedy.
	chmod 711 "$work" && chmod 644 sparse && chmod 755 reads && mkdir -m 777 open
	(cd open && timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$rtaio" explain --backend=threads --inline=0 --output=report ../reads ../sparse) 2>message
	if [ -e open/report ]; then
		check "or the remedy is named" grep -q -E \
			'^  system calls +([0-9]|not counted: .*; (run it as root|mount -t tracefs none))' open/report
	else
		skip "the remedy is named" "another user cannot reach the tree: $(head -1 message)"
	fi
	explain setpriv --reuid=65534 --regid=65534 --clear-groups "$PWD/reads" "$PWD/sparse" 2>message
	if grep -q 'cannot be preloaded\|^setpriv: ' message; then
		skip "a command that gives up its rights is explained" "another user cannot reach the tree: $(head -1 message)"
	else
		says "a command that gives up its rights is explained" 'requests, .* from the first to the last'
	fi
fi

finish
