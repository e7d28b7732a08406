#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/analyze.sh gcc | clang-tidy | cppcheck | shellcheck
# Static analysis of the library and the program, or of the scripts. Any report is a failure. A false report is suppressed
# by its name, next to the code or here, with the reason. Exits with 77 if the tool is missing.
cd "$(dirname "$0")/.." || exit 1
tool=$1
command -v "$tool" >/dev/null || {
	echo "$tool is not installed"
	exit 77
}
flags='-std=c11 -I.'
echo '#include <mbedtls/ssl.h>' | cc -E - >/dev/null 2>&1 && flags="$flags -DWS_WITH_MBEDTLS"
sources="$(sh make-dist.sh -l | sed 's/[^ ]*/&.c/g') main.c $(ls cli/*.c)"
case $flags in *MBEDTLS*) sources="$sources $(ls tls*.c) trust.c chain.c der.c" ;; esac
jobs=$(nproc 2>/dev/null || echo 1)

case $tool in
gcc)
	echo "$sources" | tr ' ' '\n' | xargs -n 1 -P "$jobs" gcc $flags -O2 -fanalyzer -Werror -c -o /dev/null
	;;
clang-tidy) # .clang-tidy has the list of checks. NODES: how far the analyzer goes in a function; clang's own limit is 225000
	echo "$sources" | tr ' ' '\n' |
		xargs -P "$jobs" -I FILE clang-tidy --quiet FILE -- $flags -Xclang -analyzer-config -Xclang "max-nodes=${NODES:-25000}"
	;;
cppcheck)
	# preprocessorErrorDirective: it does not read mbedTLS's headers, so our #error for a missing part of them is reached
	# zerodivcond: it takes the "v > 0" of a loop for a hint that the divisor, which is 10 or 16, can be zero
	cppcheck -q -j "$jobs" --std=c11 -I. --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=preprocessorErrorDirective:ws_mbedtls.h --suppress=zerodivcond:text.c \
		-DWS_WITH_MBEDTLS $sources
	;;
shellcheck)
	shellcheck -S warning $(git ls-files '*.sh') .ci/run .ci/mbedtls .ci/cbmc test/tls/make-certs test/prove/run test/fuzz/build test/fuzz/run
	;;
esac
