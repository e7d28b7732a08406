#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/cross.sh TRIPLET
# The unit tests for another machine, such as mips-linux-gnu: built with Debian's cross compiler TRIPLET-gcc, without TLS,
# and run by qemu-user. Exits with 77 and the reason where one of these is missing. Last line: N passed, N failed
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
exec sh test/variant.sh "cross-$triplet" CC="$triplet-gcc" CFLAGS=-Os TLS=none RUN="qemu-$cpu-static -L /usr/$triplet" all unit
