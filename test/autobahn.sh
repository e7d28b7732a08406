#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/autobahn.sh TESTEE
# Runs the testee against the fuzzing server of the Autobahn test suite: $WSTEST, wstest or kosoku, whichever is
# installed. Except for cases 12.* and 13.* (compression), each must be OK or INFORMATIONAL. Exit status 77: no suite.
cd "$(dirname "$0")/.." || exit 1
testee=$1
out=build/autobahn
suite=
for s in "$WSTEST" wstest kosoku; do
	if [ -n "$s" ] && command -v "$s" >/dev/null 2>&1; then
		suite=$s
		break
	fi
done
if [ -z "$suite" ]; then
	echo "autobahn: skipped: neither wstest (autobahntestsuite) nor kosoku is installed" >&2
	exit 77
fi

total_passed=0 total_failed=0
for mode in whole -s; do
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') || exit 1
	rm -rf "$out"
	mkdir -p "$out"
	case $suite in
	*kosoku)
		"$suite" -m fuzzingserver -x '12.*' -x '13.*' -o "$out" "127.0.0.1:$port" >"$out.log" 2>&1 &
		;;
	*)
		cat >"$out.json" <<-EOF
			{"url": "ws://127.0.0.1:$port", "outdir": "$out", "cases": ["*"], "exclude-cases": ["12.*", "13.*"],
			 "exclude-agent-cases": {}}
		EOF
		"$suite" -m fuzzingserver -s "$out.json" >"$out.log" 2>&1 &
		;;
	esac
	server=$!
	n=0
	until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; do
		n=$((n + 1))
		if [ $n -gt 120 ]; then
			kill $server 2>/dev/null
			cat "$out.log"
			echo "autobahn: $suite did not start" >&2
			exit 1
		fi
		sleep 0.5
	done
	option=
	[ "$mode" = whole ] || option=$mode
	# shellcheck disable=SC2086
	"$testee" $option "ws://127.0.0.1:$port" wsquery
	n=0
	until [ -s "$out/index.json" ] || [ $n -gt 120 ]; do
		n=$((n + 1))
		sleep 0.5
	done
	sleep 1
	kill $server 2>/dev/null
	wait $server 2>/dev/null
	counts=$(python3 - "$out/index.json" <<-'EOF'
		import json, sys
		try:
		    cases = json.load(open(sys.argv[1]))["wsquery"]
		except (OSError, ValueError, KeyError) as e:
		    print("no report:", e, file=sys.stderr)
		    cases = {}
		good = ("OK", "INFORMATIONAL")
		bad = {k: c for k, c in cases.items() if c["behavior"] not in good or c["behaviorClose"] not in good}
		for k, c in sorted(bad.items()):
		    print("case %s: %s, close %s" % (k, c["behavior"], c["behaviorClose"]), file=sys.stderr)
		if len(cases) < 250:
		    print("only %d cases were reported" % len(cases), file=sys.stderr)
		print(len(cases) - len(bad), len(bad) + (len(cases) < 250))
	EOF
	)
	[ -n "$counts" ] || exit 1
	total_passed=$((total_passed + ${counts% *})) total_failed=$((total_failed + ${counts#* }))
done
echo "$total_passed passed, $total_failed failed"
[ $total_failed -eq 0 ]
