#!/bin/sh
# SPDX-License-Identifier: ISC
# Each fuzz target runs the inputs of its corpus, test/fuzz/corpus/NAME, without libFuzzer.
# Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

# `make test` has built both, perhaps with flags that are not known here; if this script runs alone, it builds them
if ! [ -f test/libprog.a ] || ! [ -f libwsquery.a ]; then
	make -s CC="$CC" CFLAGS="$CFLAGS" test/libprog.a libwsquery.a || exit 1
fi

# Targets that test parts of a build with TLS
tls=
nm libwsquery.a 2>/dev/null | grep -q ' T wsi_tls_new' && tls=${MBEDTLS_LIBS:--lmbedtls -lmbedx509 -lmbedcrypto}

replay() { # replay NAME
	# shellcheck disable=SC2086 # several flags
	$CC -std=c11 $CFLAGS -I. -pthread -DFUZZ_MAIN ${tls:+-DWS_WITH_MBEDTLS} -o "$tmp/fuzz_$1" "test/fuzz/fuzz_$1.c" \
		test/libprog.a libwsquery.a $tls $LDLIBS && "$tmp/fuzz_$1" test/fuzz/corpus/"$1"/* </dev/null
}

for target in test/fuzz/fuzz_*.c; do
	name=$(basename "$target" .c)
	name=${name#fuzz_}
	case $name in
	bytes | trust | tls)
		if [ -z "$tls" ]; then
			echo "skipped: fuzz_$name: this build has no TLS"
			continue
		fi
		;;
	esac
	check "fuzz_$name" replay "$name"
done
finish
