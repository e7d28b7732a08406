#!/bin/sh
# SPDX-License-Identifier: ISC
# Each way into somebody's program: the sources as they are, the single file, the static and the shared library, in C and
# in C++ (test/consumer). Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

consumer=$tmp/consumer prefix=$tmp/prefix root=$tmp/root
copy_tree "$tmp/tree"
cp -R test/consumer "$consumer" || exit 1
start_echo

answers() { # answers PROGRAM: it works
	gives 'is it there?' "$1" "$url" 'is it there?'
}

cxx=1
printf '#include <iostream>\nint main() { std::cout << 1; }\n' >"$tmp/offered.cc"
if ! $CXX $CFLAGS -o "$tmp/offered" "$tmp/offered.cc" 2>/dev/null; then
	skip "no C++ compiler here ($CXX)" 5
	cxx=
fi

# The sources as they are
mkdir "$consumer/ws"
for name in $(sh make-dist.sh -l); do
	cp "$name.c" "$consumer/ws"
done
cp ws.h ws_pure.h ws_proto.h ws_net.h ws_tls.h ws_mbedtls.h ws_conn.h "$consumer/ws"
check 'sources: a line in a Makefile' make -C "$consumer" CC="$CC" CFLAGS="$CFLAGS"
check 'sources: it works' answers "$consumer/app"

# The single file
mkdir "$tmp/single"
check 'single file: made' sh make-dist.sh "$tmp/single"
cp "$consumer/app.c" "$consumer/app.cc" "$consumer/unity.c" "$tmp/single"
single() { # single CC FLAGS...: without a warning, alone
	cc=$1
	shift
	$cc -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror "$@" -c -o "$tmp/single.o" "$tmp/single/ws.c"
}
every='-DWS_NO_RESOLVER -DWS_NO_THREADS -DWS_NO_PROXY -DWS_NO_REDIRECTS'
mbedtls=
offered mbedtls/ssl.h -lmbedtls -lmbedx509 -lmbedcrypto && mbedtls=-DWS_WITH_MBEDTLS
for cc in gcc clang musl-gcc; do
	if ! command -v $cc >/dev/null; then
		skip "single file: no $cc here"
		continue
	fi
	for flags in -Os $every -DWS_NO_NET "$every" "$every -DWS_NO_NET"; do
		check "single file: $cc $flags" single $cc $flags
	done
	[ $cc = musl-gcc ] && continue
	if [ -n "$mbedtls" ]; then
		check "single file: $cc $mbedtls" single $cc -Os $mbedtls
		check "single file: $cc $mbedtls $every" single $cc $mbedtls $every
	else
		skip 'single file: no mbedTLS here' 2
	fi
done
single_c() {
	$CC $CFLAGS -pthread -o "$tmp/single/app" "$tmp/single/app.c" "$tmp/single/ws.c" && answers "$tmp/single/app"
}
single_cxx() {
	$CC $CFLAGS -c -o "$tmp/single/ws.o" "$tmp/single/ws.c" \
		&& $CXX $CFLAGS -std=c++11 -Wall -Wextra -Wpedantic -Werror -pthread -o "$tmp/single/app" "$tmp/single/app.cc" \
			"$tmp/single/ws.o" && answers "$tmp/single/app"
}
single_unity() {
	sed 's/\(fail\|grow\|release\|receive\|peer\)(/app_&/g' "$tmp/single/app.c" >"$tmp/single/unity_app.c"
	sed -i.bak 's/app\.c/unity_app.c/' "$tmp/single/unity.c"
	$CC $CFLAGS -Wall -Wextra -Werror -pthread -o "$tmp/single/app" "$tmp/single/unity.c" && answers "$tmp/single/app"
}
check 'single file: in C' single_c
[ -z "$cxx" ] || check 'single file: in C++' single_cxx
check 'single file: included by another' single_unity
exported() { # the single file's object has no symbol of ours but those of ws.h
	$CC $CFLAGS -c -o "$tmp/single/ws.o" "$tmp/single/ws.c" || return
	nm -g --defined-only "$tmp/single/ws.o" | awk 'NF > 1 { print $NF }' >"$tmp/names"
	grep -qx ws_open "$tmp/names" && ! grep -v '^ws_\|^__x86\.' "$tmp/names"
}
check 'single file: all else is static' exported
mixed() {
	sed 's/_NUMBER 0x/_NUMBER 1+0x/' ws.h >"$tmp/single/ws.h"
	! single $CC && sh make-dist.sh "$tmp/single"
}
check 'single file: a ws.h of another version is refused' mixed

# The header
printf '#include "ws.h"\n' >"$tmp/h.c"
for std in c99 c11; do
	check "ws.h alone, $std" $CC -std=$std $strict -std=$std -I. -c -o "$tmp/h.o" "$tmp/h.c"
done
cp "$tmp/h.c" "$tmp/h.cc"
for std in ${cxx:+c++11 c++17 c++20}; do
	check "ws.h alone, $std" $CXX -std=$std -Wall -Wextra -Wpedantic -Wshadow -Wold-style-cast -Werror -I. -c -o "$tmp/h.o" \
		"$tmp/h.cc"
done

# The libraries, installed
check 'make install' make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX="$prefix" install
pc() { # pc ARGUMENT...: as a build would ask
	PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config "$@" ws
}
shared_c() {
	$CC $CFLAGS -o "$tmp/shared" "$consumer/app.c" $(pc --cflags --libs) || return
	LD_LIBRARY_PATH=$prefix/lib answers "$tmp/shared" && ldd "$tmp/shared" && ldd "$tmp/shared" | grep -q libws.so
}
shared_cxx() {
	$CXX $CFLAGS -std=c++11 -o "$tmp/shared" "$consumer/app.cc" $(pc --cflags --libs) || return
	LD_LIBRARY_PATH=$prefix/lib answers "$tmp/shared"
}
archive_c() {
	$CC $CFLAGS -o "$tmp/archive" "$consumer/app.c" $(pc --cflags) "$prefix/lib/libws.a" $(pc --libs --static | sed 's/-lws//') \
		|| return
	answers "$tmp/archive" && ! ldd "$tmp/archive" | grep libws
}
archive_cxx() {
	$CXX $CFLAGS -std=c++11 -o "$tmp/archive" "$consumer/app.cc" $(pc --cflags) "$prefix/lib/libws.a" \
		$(pc --libs --static | sed 's/-lws//') && answers "$tmp/archive"
}
version() {
	gives "$(sed -n 's/^#define WS_VERSION "\(.*\)"$/\1/p' ws.h)" pc --modversion
}
soname() { # before 1.0.0 each second number has an ABI of its own
	objdump -p "$prefix/lib/libws.so" | grep -qx "  SONAME  *libws.so.$(pc --modversion | sed 's/\.[0-9]*$//')"
}
if command -v pkg-config >/dev/null; then
	check 'pkg-config: version' version
	check 'libws.so: its soname' soname
	check 'libws.so: in C' shared_c
	[ -z "$cxx" ] || check 'libws.so: in C++' shared_cxx
	check 'libws.a: in C' archive_c
	[ -z "$cxx" ] || check 'libws.a: in C++' archive_cxx
else
	skip 'no pkg-config here' 6
fi
installed() {
	gives 'bin
bin/wsquery
include
include/ws.h' list "$prefix" bin include
}
list() {
	(cd "$1" && shift && find "$@" | sort)
}
check 'make install: one header, one program' installed
staged() { # DESTDIR goes before the prefix, and into no file
	make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX=/opt/ws DESTDIR="$root" install || return
	(cd "$prefix" && find . | sort) >"$tmp/list.1"
	(cd "$root/opt/ws" && find . | sort) >"$tmp/list.2"
	diff "$tmp/list.1" "$tmp/list.2" || return
	! grep -rl "$root" "$root" && grep -qx prefix=/opt/ws "$root/opt/ws/lib/pkgconfig/ws.pc"
}
check 'make install DESTDIR' staged
removed() {
	make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX=/opt/ws DESTDIR="$root" uninstall || return
	[ -z "$(find "$root" ! -type d)" ]
}
check 'make uninstall leaves no file' removed
if command -v bmake >/dev/null; then
	check 'bmake install' bmake -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX="$tmp/bmake" install
else
	skip 'no bmake here'
fi

finish
