#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/run.sh TEST...
# Runs the tests, programs and scripts (*.sh), each of which ends with "N passed, N failed". At the same time it runs
# pytest, which mostly waits, with the first of $PYTHON, python3, /usr/bin/python3 that can import what it needs (PYTHON empty: no
# pytest). RUN is what runs a program built for another machine. Ends with one line that adds up all that ran.
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d) || exit 1
pytest=
trap '[ -z "$pytest" ] || kill $pytest 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

# Certificates that all tests share. Without pytest, the first test that needs them makes them
TLS_CERTS=${TLS_CERTS:-$dir/certs}
BUILT_TREE=$dir/built # the first script that needs it builds it
export TLS_CERTS BUILT_TREE

python=
if [ -n "$PYTHON" ]; then
	for need in 'pytest, jsonschema, websockets' 'pytest, jsonschema'; do
		for p in "$PYTHON" python3 /usr/bin/python3; do
			[ -n "$python" ] || ! "$p" -c "import $need" 2>/dev/null || python=$p
		done
	done
	if [ -n "$python" ]; then
		parallel=$("$python" -c 'import xdist' 2>/dev/null && echo "-n ${TEST_JOBS:-8}")
		limit=$(command -v timeout >/dev/null && echo timeout 1800)
		[ -d "$TLS_CERTS" ] || sh test/tls/make-certs "$TLS_CERTS" >/dev/null 2>&1 || rm -rf "$TLS_CERTS"
		# shellcheck disable=SC2086
		TEST_COUNTS=$dir/counts $limit "$python" -m pytest -q -p no:cacheprovider $parallel ${PYTEST_ARGS:-} test/cli \
			>"$dir/pytest" 2>&1 &
		pytest=$!
	else
		echo "the tests of the program were skipped: no python3 here can import pytest and jsonschema"
		skipped=1
	fi
fi

for t; do
	case $t in
	*.sh) sh "$t" ;;
	*) $RUN "$t" ;;
	esac >"$dir/out" 2>&1
	status=$?
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$dir/out" | tail -n 1)
	read -r p f s <<-EOF
		$(echo "${line:-0 passed, 0 failed}" | tr -cd '0-9 ') 0
	EOF
	s=${s%% *}
	if [ -z "$line" ] || { [ $status -ne 0 ] && [ "$f" -eq 0 ]; }; then
		f=$((f + 1)) # the test has not reached its end
	fi
	grep -i skipped "$dir/out" | grep -v "^$line\$"
	if [ "$f" -gt 0 ]; then
		cat "$dir/out"
		echo "$t: exit status $status"
	fi
	echo "$t: $p passed, $f failed"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

if [ -n "$pytest" ]; then
	wait $pytest
	status=$?
	pytest=
	cat "$dir/pytest"
	p=0 f=1 s=0 # unless pytest reached its end
	[ ! -s "$dir/counts" ] || read -r p f s <"$dir/counts"
	[ $status -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
fi

tail=
[ $skipped -gt 0 ] && tail=", $skipped skipped"
echo "$passed passed, $failed failed$tail"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
