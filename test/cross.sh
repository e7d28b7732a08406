#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/cross.sh TRIPLET
# The unit tests for another machine, such as mips-linux-gnu: built with Debian's cross compiler TRIPLET-gcc, without TLS,
# and run by qemu-user. With musl, as for arm-linux-musleabihf, they are static programs, and the slow ones are left out.
# Exits with 77 and the reason if a tool is missing. Last line: N passed, N failed
cd "$(dirname "$0")/.." || exit 1
triplet=$1
case ${triplet%%-*} in
i[3-6]86) cpu=i386 ;;
powerpc64le) cpu=ppc64le ;;
mips64el) cpu=mips64el ;;
*) cpu=${triplet%%-*} ;;
esac
for tool in "$triplet-gcc" "qemu-$cpu-static"; do
	command -v "$tool" >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done
set -- "cross-$triplet" CC="$triplet-gcc" CFLAGS=-Os TLS=none
case $triplet in
*-musl*)
	# These use only malloc and memcpy of the C library, and take minutes in qemu
	slow='ws_fail|ws_send|ws_recv|ws_buffer|ws_upgrade|ws_attack|utf8|capture|match'
	tests=$(find test/test_*.c test/cli/test_*.c | grep -vE "/test_($slow)\.c" | sed 's/\.c$//')
	set -- "$@" LDFLAGS=-static RUN="qemu-$cpu-static" TESTS="$(echo "$tests" | tr '\n' ' ')"
	;;
*) set -- "$@" RUN="qemu-$cpu-static -L /usr/$triplet" ;;
esac
exec sh test/variant.sh "$@" all unit
