#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/run.sh TEST...
# Runs the tests, programs and scripts (*.sh), each of which ends with "N passed, N failed"; then pytest with the first of $PYTHON, python3, /usr/bin/python3 that can import what it needs
# (PYTHON empty: no pytest), and ends with one line that adds up all that ran.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
passed=0 failed=0 skipped=0

for t; do
	case $t in
	*.sh) sh "$t" ;;
	*) "$t" ;;
	esac >"$out" 2>&1
	status=$?
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$out" | tail -n 1)
	# shellcheck disable=SC2046
	set -- $(echo "${line:-0 passed, 0 failed}" | tr -cd '0-9 ') 0
	p=$1 f=$2 s=$3
	if [ -z "$line" ] || { [ $status -ne 0 ] && [ "$f" -eq 0 ]; }; then
		f=$((f + 1)) # it did not come to its end
	fi
	grep -i skipped "$out" | grep -v "^$line\$"
	if [ "$f" -gt 0 ]; then
		cat "$out"
		echo "$t: exit status $status"
	fi
	echo "$t: $p passed, $f failed"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

if [ -n "$PYTHON" ]; then
	python=
	for need in 'pytest, jsonschema, websockets' 'pytest, jsonschema'; do
		for p in "$PYTHON" python3 /usr/bin/python3; do
			[ -n "$python" ] || ! "$p" -c "import $need" 2>/dev/null || python=$p
		done
	done
	if [ -n "$python" ]; then
		parallel=$("$python" -c 'import xdist' 2>/dev/null && echo "-n ${TEST_JOBS:-8}")
		: >"$out"
		# shellcheck disable=SC2046,SC2086
		TEST_COUNTS=$out $(command -v timeout >/dev/null && echo timeout 1800) "$python" -m pytest -q -p no:cacheprovider $parallel ${PYTEST_ARGS:-} test
		status=$?
		read -r p f s <"$out" || p=0 f=1 s=0
		[ $status -ne 0 ] && [ "$f" -eq 0 ] && f=1
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	else
		echo "the tests of the program were skipped: no python3 here can import pytest and jsonschema"
		skipped=$((skipped + 1))
	fi
fi

tail=
[ $skipped -gt 0 ] && tail=", $skipped skipped"
echo "$passed passed, $failed failed$tail"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
