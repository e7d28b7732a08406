#!/bin/sh
# SPDX-License-Identifier: ISC
# The library on microcontrollers, without an operating system: how much flash a device's program takes (test/cortex-m), and
# examples/memory.c on an emulated one. Last line: N passed, N failed
# usage: test-cortex-m.sh [-t | -w]	-t: only the table of sizes; -w: puts it into INSTALL.md
. "$(dirname "$0")/shell.sh"

arm=${ARM_CC:-arm-none-eabi-gcc}
if ! echo '#include <string.h>' | $arm -mcpu=cortex-m4 -mthumb -E -x c - >/dev/null 2>&1; then
	skip "no $arm with newlib here (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi)"
	echo "0 passed, 0 failed, $skipped skipped"
	exit
fi
lib=$(sh make-dist.sh -l | sed 's/[^ ]*/&.c/g')
table=${1-} cores=cortex-m4
if [ -n "$table" ]; then
	cores='cortex-m0plus cortex-m4 cortex-m33'
	exec 8>&1 >/dev/null
fi

# cross CORE FLAGS FILE...: builds the program $tmp/arm from these files and the library
cross() {
	core=$1 flags=$2
	shift 2
	# shellcheck disable=SC2086
	$arm -mcpu="$core" -mthumb -Os -ffunction-sections -fdata-sections $strict -Wl,--gc-sections -I. -DWS_NO_NET \
		$flags -o "$tmp/arm" "$@" $lib
}
# prints the bytes of the library and of the parts of the C library that it needs, without startup code
device() { # device CORE FLAGS
	cross "$1" "$2 --specs=nano.specs -nostartfiles -Wl,-e,main,--no-warn-rwx-segments" test/cortex-m/device.c
}
row() { # row NAME FLAGS: writes its line of the table
	printf '| %s |' "$1" >>"$tmp/table"
	for core in $cores; do
		check "$core, $1: built" device "$core" "$2"
		printf ' %d |' "$(size "$tmp/arm" | awk 'NR == 2 { print $1 + $2 }')" >>"$tmp/table"
	done
	echo >>"$tmp/table"
}
{
	echo '| on a device | Cortex-M0+ | Cortex-M4 | Cortex-M33 |'
	echo '| --- | ---: | ---: | ---: |'
} >"$tmp/table"
row WS_NO_NET ''
row 'WS_NO_NET, -flto' -flto

# emulated CORE BOARD: runs examples/memory.c, which prints through semihosting
emulated() {
	cross "$1" '--specs=rdimon.specs -Wl,-u,vectors,--section-start=.vectors=0,--no-warn-rwx-segments' \
		test/cortex-m/vectors.c examples/memory.c || return
	timeout 60 qemu-system-arm -M "$2" -nographic -monitor none -serial none -kernel "$tmp/arm" \
		-semihosting-config enable=on,target=native >"$tmp/emulated" 2>&1 || return
	cat "$tmp/emulated"
	sed -n 1p "$tmp/emulated" | grep -qx 'ok: from memory' || return
	sed -n 2p "$tmp/emulated" | grep -qx 'timeout: receive from device.example:80 timed out after 5 s: nothing came' || return
	sed -n 3p "$tmp/emulated" | grep -qE '^[0-9]+ bytes of the arena used at most, 0 left used, 5 s by its own clock$'
}
if [ -z "$table" ] && command -v qemu-system-arm >/dev/null; then
	check 'examples/memory.c: Cortex-M0+ code on an emulated Cortex-M3' emulated cortex-m0plus mps2-an385
	check 'examples/memory.c: on an emulated Cortex-M4' emulated cortex-m4 mps2-an386
	echo "Cortex-M4: $(sed -n 3p "$tmp/emulated")"
else
	skip 'no emulator here (Debian: qemu-system-arm)' 2
fi

[ -z "$table" ] || exec >&8
case $table in
-w) table_into INSTALL.md '| on a device ' ;;
-t) cat "$tmp/table" ;;
esac
[ -z "$table" ] || exec >/dev/null
finish
