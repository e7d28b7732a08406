#!/bin/sh
# SPDX-License-Identifier: ISC
# Counts the steps that the library makes for what a peer sends: see steps.c. Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

flags='-std=c11 -O1 -I. -pthread'
if ! echo 'int f(int a) { return a; }' | $CC -fsanitize-coverage=trace-pc -x c -c -o "$tmp/probe.o" - 2>/dev/null; then
	skip "$CC has no -fsanitize-coverage=trace-pc"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
mkdir "$tmp/lib"
for f in $(sed -n '/^LIB_SRC = /,/[^\\]$/ { s/^LIB_SRC = //; s/\\$//; p; }' Makefile); do
	# shellcheck disable=SC2086
	$CC $flags -fsanitize-coverage=trace-pc -c -o "$tmp/lib/${f%.c}.o" "$f" || exit 1
done
# shellcheck disable=SC2086
$CC $flags -o "$tmp/steps" test/steps.c "$tmp"/lib/*.o || exit 1
"$tmp/steps"
