#!/bin/sh
# SPDX-License-Identifier: ISC
# build.sh MBEDTLS_SRC OUT: from a directory of mbedTLS 3.6 sources, which is only read, makes OUT/libmbedtls.a with
# the settings beside this script, for a static program. CC (musl-gcc) and CFLAGS (-Os and sections) are yours.
# The sources: a release, or `apt-get source mbedtls` with a deb-src line of Debian 13 (trixie). Then:
#	$CC ... -DWS_WITH_MBEDTLS -DMBEDTLS_CONFIG_FILE='"tls-static/mbedtls_config.h"' -isystem MBEDTLS_SRC/include \
#		FILES OUT/libmbedtls.a		(FILES: as make-dist.sh -L prints them)
# shellcheck disable=SC2086 # CFLAGS are words
set -eu
[ $# = 2 ] || { echo "usage: build.sh MBEDTLS_SRC OUT" >&2; exit 64; }
src=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$src/library/ssl_tls13_client.c" ] || { echo "$src: no mbedTLS 3.6 sources" >&2; exit 1; }
[ -f "$src/library/error.c" ] || { echo "$src: without its generated files; take a release, or run its make generated_files" >&2; exit 1; }
mkdir -p "$out/mbedtls"
out=$(cd "$out" && pwd)
rm -f "$out/mbedtls"/*.o "$out/libmbedtls.a"
cd "$src/library"
for f in *.c; do
	case $f in psa_its_file.c | net_sockets.c | timing.c | debug.c | version*.c) continue ;; esac
	${CC:-musl-gcc} ${CFLAGS:--Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables} \
		-std=c99 -DMBEDTLS_CONFIG_FILE="\"$here/mbedtls_config.h\"" -I../include -I. \
		-c -o "$out/mbedtls/${f%.c}.o" "$f"
done
${CC:-musl-gcc} ${CFLAGS:--Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables} \
	-std=c11 -D_DEFAULT_SOURCE -DMBEDTLS_CONFIG_FILE="\"$here/mbedtls_config.h\"" -I../include \
	-c -o "$out/mbedtls/random.o" "$here/random.c"
ar rcs "$out/libmbedtls.a" "$out/mbedtls"/*.o
rm -rf "$out/mbedtls"
