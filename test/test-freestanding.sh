#!/bin/sh
# SPDX-License-Identifier: ISC
# The parts that only handle bytes need no operating system, and of libc only memcpy, memmove, memset, memcmp and strlen.
# The same is true for a connection over the program's own transport. No file has writable data. The library exports
# exactly what ws.h declares, and all its other names begin with wsi_. Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

[ -z "$sanitized" ] || CFLAGS=-Os # sanitizers need a libc
pure='sha1 base64 utf8 text ip secret url url_show frame header request response refusal proxy no_proxy'
flags="-std=c11 -ffreestanding -fno-stack-protector -fno-pie -DWS_NO_NET -I."
names() { # names NM-ARGUMENTS...: prints symbols, one on each line
	nm "$@" | awk 'NF > 1 { print $NF }' | sort -u
}

# alone NAME FILE...: these objects need at most those five functions
alone() {
	name=$1
	shift
	$CC -r -nostdlib -no-pie -o "$tmp/$name.o" $(printf " $tmp/lib/%s.o" "$@") || return
	names -u "$tmp/$name.o" >"$tmp/wanted" && grep -qx memcpy "$tmp/wanted" || return
	wanted=$(grep -vxE '_GLOBAL_OFFSET_TABLE_|__[a-z]*di[34]' "$tmp/wanted")
	echo "$name wants:" $wanted
	[ -z "$(echo "$wanted" | grep -vxE 'mem(cpy|move|set|cmp)|strlen|')" ]
}
mkdir "$tmp/lib"
for file in $(sh make-dist.sh -l); do
	check "$file.c alone" $CC $CFLAGS $flags -c -o "$tmp/lib/$file.o" "$file.c"
done
check 'the layers of bytes want no more than five functions' alone pure $pure
check 'a connection wants no more over a transport of the program' alone all $(sh make-dist.sh -l)

nostdlib() { # nostdlib NAME FLAGS...
	name=$1
	shift
	# shellcheck disable=SC2086
	$CC $CFLAGS $flags $strict "$@" -c -o "$tmp/$name-start.o" test/freestanding.c \
		&& $CC -nostdlib -static -no-pie -Wl,-e,$entry -o "$tmp/$name-program" "$tmp/$name-start.o" "$tmp/$name.o" -lgcc
}
entry=start
check 'the layers of bytes link with -nostdlib' nostdlib pure -DPURE_ALONE
case $(uname -s):$(echo __x86_64__ | $CC -E -P -) in
Linux:1)
	entry=_start
	check 'examples/memory.c links with -nostdlib' nostdlib all
	check 'examples/memory.c runs without a libc' "$tmp/all-program"
	;;
*)
	check 'examples/memory.c links with -nostdlib' nostdlib all
	skip 'examples/memory.c runs without a libc: needs Linux on x86-64'
	;;
esac

writable() {
	nm "$tmp/all.o" >"$tmp/symbols" && grep -q ' T ' "$tmp/symbols" && ! grep ' [BbCcDdGgSs] ' "$tmp/symbols"
}
check 'no writable data' writable

built_tree "$tmp/copy"
check 'make libwsquery.a libwsquery.so' make -C "$tmp/copy" CC="$CC" CFLAGS="$CFLAGS" libwsquery.a libwsquery.so
declared() {
	sed -n 's/^WS_API .*[ *]\(ws_[a-z_]*\)(.*/\1/p' ws.h | sort >"$tmp/declared"
	names -g --defined-only -D "$tmp/copy/libwsquery.so" >"$tmp/exported"
	diff "$tmp/declared" "$tmp/exported"
}
check 'libwsquery.so exports what ws.h declares, and nothing else' declared
prefixed() {
	names -g --defined-only "$tmp/copy/libwsquery.a" >"$tmp/names"
	grep -qx ws_open "$tmp/names" && ! grep -v '^wsi\?_\|^__x86\.' "$tmp/names"
}
check 'every name in libwsquery.a begins with ws_ or wsi_' prefixed

finish
