#!/bin/sh
# SPDX-License-Identifier: ISC
# Each way to use the library in another program: the sources, the single file, the static and the shared library, in C
# and in C++ (test/consumer). Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

consumer=$tmp/consumer prefix=$tmp/prefix root=$tmp/root
built_tree "$tmp/tree"
cp -R test/consumer "$consumer" || exit 1
start_echo

answers() { # answers PROGRAM: the program must work
	gives 'is it there?' "$1" "$url" 'is it there?'
}

cxx=1
printf '#include <iostream>\nint main() { std::cout << 1; }\n' >"$tmp/offered.cc"
if ! $CXX $CFLAGS -o "$tmp/offered" "$tmp/offered.cc" 2>/dev/null; then
	skip "no C++ compiler here ($CXX)" 5
	cxx=
fi

# The sources
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
single() { # single CC FLAGS...: compiles without a warning
	"$@" -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror -o "$tmp/single.o" "$tmp/single/ws.c"
}
every='-DWS_NO_RESOLVER -DWS_NO_THREADS -DWS_NO_PROXY -DWS_NO_REDIRECTS'
mbedtls=
offered mbedtls/ssl.h -lmbedtls -lmbedx509 -lmbedcrypto && mbedtls=-DWS_WITH_MBEDTLS
# Each switch alone with gcc and clang, whose warnings differ. musl-gcc is gcc with other headers, so two builds are enough.
# Some warnings of gcc need optimization: with all parts, it compiles the file with -Os. With a switch, clang alone finds
# functions that are not used
for cc in gcc clang musl-gcc; do
	if ! command -v $cc >/dev/null; then
		skip "single file: no $cc here"
		continue
	fi
	each="$every -DWS_NO_NET"
	[ $cc = musl-gcc ] && each=
	for flags in '' $each "$every" "$every -DWS_NO_NET"; do
		check "single file: $cc $flags" single $cc -fsyntax-only $flags
	done
	[ $cc = musl-gcc ] && continue
	optimized=-fsyntax-only
	[ $cc = gcc ] && optimized='-Os -c'
	check "single file: $cc $optimized $mbedtls" single $cc $optimized $mbedtls
	if [ -n "$mbedtls" ]; then
		check "single file: $cc $mbedtls $every" single $cc -fsyntax-only $mbedtls $every
	else
		skip 'single file: no mbedTLS here'
	fi
done
single_c() { # $tmp/single/ws.o is used by the next checks, too
	$CC $CFLAGS -pthread -c -o "$tmp/single/ws.o" "$tmp/single/ws.c" \
		&& $CC $CFLAGS -pthread -o "$tmp/single/app" "$tmp/single/app.c" "$tmp/single/ws.o" && answers "$tmp/single/app"
}
single_cxx() {
	$CXX $CFLAGS -std=c++11 -Wall -Wextra -Wpedantic -Werror -pthread -o "$tmp/single/app" "$tmp/single/app.cc" \
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
exported() { # the object of the single file must export only the names of ws.h
	nm -g --defined-only "$tmp/single/ws.o" | awk 'NF > 1 { print $NF }' >"$tmp/names"
	grep -qx ws_open "$tmp/names" && ! grep -v '^ws_\|^__x86\.' "$tmp/names"
}
check 'single file: all else is static' exported
twice() { # two libraries in one program, each with its own copy
	for copy in one two; do
		PREFIX_SYMBOLS=${copy}_ sh make-dist.sh "$tmp/$copy" \
			&& $CC $CFLAGS -Wall -Wextra -Werror -pthread -c -o "$tmp/$copy/ws.o" "$tmp/$copy/ws.c" \
			&& $CC $CFLAGS -Wall -Wextra -Werror -I"$tmp/$copy" -DASK=ask_$copy -c -o "$tmp/$copy/twice.o" "$consumer/twice.c" \
			|| return
		nm -g --defined-only "$tmp/$copy/ws.o" | awk 'NF > 1 { print $NF }' >"$tmp/names"
		grep -qx "#define ws_type ${copy}_ws_type" "$tmp/$copy/ws.h" || return # a type that is declared on one line
		grep -qx ${copy}_ws_open "$tmp/names" && ! grep -v "^${copy}_ws_\|^__x86\." "$tmp/names" || return
	done
	$CC $CFLAGS -Wall -Wextra -Werror -pthread -DBOTH -o "$tmp/twice" "$consumer/twice.c" "$tmp"/one/*.o "$tmp"/two/*.o \
		&& answers "$tmp/twice"
}
check 'single file: two copies with PREFIX_SYMBOLS in one program' twice
wrong_prefix() {
	! PREFIX_SYMBOLS='a-b' sh make-dist.sh "$tmp/three" 2>"$tmp/err" && grep -q 'PREFIX_SYMBOLS=a-b' "$tmp/err"
}
check 'single file: PREFIX_SYMBOLS is no name' wrong_prefix
mixed() {
	sed 's/_NUMBER 0x/_NUMBER 1+0x/' ws.h >"$tmp/single/ws.h"
	! single $CC -fsyntax-only && sh make-dist.sh "$tmp/single"
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

# Names that other code uses: Wireshark's macros, common words, and in C++ a namespace
cat >"$tmp/names.c" <<'E'
#define ws_info(...) this is no function
#define ws_error(...) this is no function
#define ws_debug(...) this is no function
#include "ws.h"
enum { WS_RESOLVE, WS_CONNECT, WS_PROXY, WS_TLS, WS_UPGRADE, WS_URL, WS_CLOSING, WS_DONE, WS_READY };
#ifdef __cplusplus
namespace ws
{
inline const struct ws_report *report(const struct ws_conn *c)
{
	return ws_report(c);
}
} // namespace ws
#else
struct ws {
	int fd;
};
#endif
E
check 'ws.h next to common names' $CC -std=c11 $strict -I. -c -o "$tmp/names.o" "$tmp/names.c"
cp "$tmp/names.c" "$tmp/names.cc"
[ -z "$cxx" ] || check 'ws.h next to common names, C++' $CXX -std=c++11 -Wall -Wextra -Wpedantic -Werror -I. -c \
	-o "$tmp/names.o" "$tmp/names.cc"

# The installed libraries, next to another library that also has a ws.h and functions with these names
mkdir -p "$prefix/include" "$prefix/lib" "$prefix/share/man/man3"
cat >"$prefix/include/ws.h" <<'E'
#ifndef WS_H
#define WS_H
#define WS_VERSION_OF_THE_OTHER 7
int ws_socket(int port, int timeout_ms);
#endif
E
cat >"$consumer/other.c" <<'E'
/* A server library. It has names like ours, which nobody calls here. */
#include <stdlib.h>
#include <ws.h>
int ws_socket(int port, int timeout_ms) { return port + timeout_ms + WS_VERSION_OF_THE_OTHER; }
void ws_open(int port), ws_send(int port), ws_ping(int port);
void ws_open(int port) { (void)port, abort(); }
void ws_send(int port) { (void)port, abort(); }
void ws_ping(int port) { (void)port, abort(); }
E
for name in app.c app.cc; do
	sed 's|"ws.h"|<wsquery/ws.h>|' "$consumer/$name" >"$consumer/installed_$name"
done
{
	printf '#include <ws.h>\n#if WS_VERSION_OF_THE_OTHER != 7\n#error\n#endif\n'
	sed 's/return r != 0;/return r != 0 || ws_socket(1, 2) != 10;/' "$consumer/installed_app.c"
} >"$consumer/both.c"
grep -q ws_socket "$consumer/both.c" || exit 1
echo other | tee "$prefix/lib/libws.a" "$prefix/lib/libws.so" >"$prefix/share/man/man3/ws_ping.3"
state() { # state DIRECTORY: prints its files and their contents
	(cd "$1" && find . -type f -exec cksum {} + | sort)
}
state "$prefix" >"$tmp/before"

check 'make install' make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX="$prefix" install
pc() { # pc ARGUMENT...: runs pkg-config as a build would
	PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config "$@" wsquery
}
shared_c() {
	$CC $CFLAGS -o "$tmp/shared" "$consumer/installed_app.c" $(pc --cflags --libs) || return
	LD_LIBRARY_PATH=$prefix/lib answers "$tmp/shared" && ldd "$tmp/shared" && ldd "$tmp/shared" | grep -q libwsquery.so
}
shared_cxx() {
	$CXX $CFLAGS -std=c++11 -o "$tmp/shared" "$consumer/installed_app.cc" $(pc --cflags --libs) || return
	LD_LIBRARY_PATH=$prefix/lib answers "$tmp/shared"
}
shared_both() {
	$CC $CFLAGS -Wall -Wextra -Werror -o "$tmp/both" "$consumer/both.c" "$consumer/other.c" $(pc --cflags --libs) || return
	LD_LIBRARY_PATH=$prefix/lib answers "$tmp/both"
}
# Options were added at the end of struct ws_options, and either the program or the library was built before that
newer=$tmp/newer
with_options() { # with_options HEADERS FLAG...: makes $tmp/with
	headers=$1
	shift
	$CC $CFLAGS -I"$headers" "$@" -DASK=ask_one -c -o "$tmp/with_one.o" "$consumer/twice.c" \
		&& $CC $CFLAGS -I"$headers" "$@" -DASK=ask_two -c -o "$tmp/with_two.o" "$consumer/twice.c" \
		&& $CC $CFLAGS -DBOTH -o "$tmp/with" "$consumer/twice.c" "$tmp/with_one.o" "$tmp/with_two.o" $(pc --libs)
}
older_program() {
	cp -R "$tmp/single" "$newer" && mkdir "$newer/lib" || return
	awk '{ print } /^\tint \(\*give_up\)\(void \*user_data\);$/ { print "\tchar later[1 << 20];" }' ws.h >"$newer/ws.h"
	for name in "$prefix"/lib/libwsquery.so.*; do
		$CC $CFLAGS -pthread -fPIC -shared -o "$newer/lib/${name##*/}" "$newer/ws.c" || return
	done
	with_options . && LD_LIBRARY_PATH=$newer/lib answers "$tmp/with"
}
older_library() {
	with_options "$newer" && LD_LIBRARY_PATH=$prefix/lib answers "$tmp/with" || return
	with_options "$newer" -DLATER=1 && ! LD_LIBRARY_PATH=$prefix/lib "$tmp/with" "$url" x 2>"$tmp/err" || return
	grep -q 'an option that this library does not know' "$tmp/err"
}
archive_c() {
	$CC $CFLAGS -o "$tmp/archive" "$consumer/installed_app.c" $(pc --cflags) "$prefix/lib/libwsquery.a" \
		$(pc --libs --static | sed 's/-lwsquery//') || return
	answers "$tmp/archive" && ! ldd "$tmp/archive" | grep libwsquery
}
archive_cxx() {
	$CXX $CFLAGS -std=c++11 -o "$tmp/archive" "$consumer/installed_app.cc" $(pc --cflags) "$prefix/lib/libwsquery.a" \
		$(pc --libs --static | sed 's/-lwsquery//') && answers "$tmp/archive"
}
version() {
	gives "$(sed -n 's/^#define WS_VERSION "\(.*\)"$/\1/p' ws.h)" pc --modversion
}
soname() { # it must be the name of the file that the link points to
	soname_is "$prefix/lib/libwsquery.so" && [ -f "$prefix/lib/libwsquery.so.0" ]
}
soname_is() {
	objdump -p "$1" | grep -qx '  SONAME  *libwsquery.so.0'
}
if command -v pkg-config >/dev/null; then
	check 'pkg-config: version' version
	check 'libwsquery.so: its soname' soname
	check 'libwsquery.so: in C' shared_c
	check 'libwsquery.so: a newer one than the program' older_program
	check 'libwsquery.so: an older one than the program' older_library
	[ -z "$cxx" ] || check 'libwsquery.so: in C++' shared_cxx
	check 'libwsquery.so: with another ws.h and another ws_open in one program' shared_both
	check 'libwsquery.a: in C' archive_c
	[ -z "$cxx" ] || check 'libwsquery.a: in C++' archive_cxx
else
	skip 'no pkg-config here' 9
fi
undisturbed() { # undisturbed LIST: the other library's files must be unchanged
	state "$prefix" >"$tmp/after"
	[ "$(comm -12 "$tmp/before" "$tmp/after")" = "$(cat "$tmp/before")" ]
}
check 'make install: another library stays as it was' undisturbed
staged() { # DESTDIR is put before the prefix, and is in no file; the modes do not depend on the umask
	(umask 077 && make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX=/opt/ws DESTDIR="$root" install) || return
	modes "$root/opt/ws" >"$tmp/modes"
	diff - "$tmp/modes" <<-E || return
		755 bin
		755 bin/wsquery
		755 include
		755 include/wsquery
		644 include/wsquery/ws.h
		755 lib
		644 lib/libwsquery.a
		777 lib/libwsquery.so
		755 lib/libwsquery.so.0
		755 lib/pkgconfig
		644 lib/pkgconfig/wsquery.pc
		755 share
		755 share/bash-completion
		755 share/bash-completion/completions
		644 share/bash-completion/completions/wsquery
		755 share/fish
		755 share/fish/vendor_completions.d
		644 share/fish/vendor_completions.d/wsquery.fish
		755 share/man
		755 share/man/man1
		644 share/man/man1/wsquery.1
		755 share/man/man3
		644 share/man/man3/libwsquery.3
		755 share/zsh
		755 share/zsh/site-functions
		644 share/zsh/site-functions/_wsquery
	E
	! grep -rl "$root" "$root" && grep -qx prefix=/opt/ws "$root/opt/ws/lib/pkgconfig/wsquery.pc"
}
modes() { # modes DIRECTORY: prints mode and name of each file
	(cd "$1" && find . -mindepth 1 -exec stat -c '%a %n' {} + | sed 's|\./||' | sort -k 2)
}
check 'make install DESTDIR' staged
removed() {
	make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX=/opt/ws DESTDIR="$root" uninstall || return
	[ -z "$(find "$root" ! -type d)" ] && [ ! -e "$root/opt/ws/include/wsquery" ] || return
	make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX="$prefix" uninstall || return
	state "$prefix" | cmp - "$tmp/before"
}
check 'make uninstall leaves no file, and those of others as they were' removed
bmake_install() {
	bmake -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" PREFIX=/usr DESTDIR="$tmp/bmake" install || return
	[ -x "$tmp/bmake/usr/bin/wsquery" ] && [ -f "$tmp/bmake/usr/lib/libwsquery.so.0" ]
}
if command -v bmake >/dev/null; then
	make -C "$tmp/tree" clean >/dev/null
	check 'bmake install DESTDIR' bmake_install
else
	skip 'no bmake here'
fi

# CMake
cmake_app() { # cmake_app BUILD CMAKE-ARGUMENT...: the consumer's project is built there, and must work
	build=$1
	shift
	cmake -S "$consumer" -B "$build" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$CFLAGS" "$@" && cmake --build "$build" \
		&& answers "$build/app"
}
cmake_install() { # cmake_install PREFIX CMAKE-ARGUMENT...: installs, and the consumer must find it there
	at=$1
	shift
	cmake -S "$tmp/tree" -B "$at.build" -DCMAKE_INSTALL_PREFIX="$at" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$CFLAGS" "$@" \
		&& cmake --build "$at.build" && cmake --install "$at.build" && cmake_app "$at.app" -DCMAKE_PREFIX_PATH="$at"
}
cmake_shared() { # it must have the name and the functions of the Makefile's library
	cmake_install "$tmp/cmake-shared" -DBUILD_SHARED_LIBS=ON && soname_is "$tmp/cmake-shared/lib/libwsquery.so" \
		&& [ -f "$tmp/cmake-shared/lib/libwsquery.so.0" ] || return
	functions "$tmp/tree/libwsquery.so" >"$tmp/functions"
	functions "$tmp/cmake-shared/lib/libwsquery.so" | diff "$tmp/functions" -
}
functions() {
	nm -D --defined-only "$1" | awk '{ print $3 }'
}
if command -v cmake >/dev/null; then
	check 'CMake: add_subdirectory' cmake_app "$tmp/cmake-sources" -DSOURCES="$tmp/tree"
	check 'CMake: find_package, static, with mbedTLS if it is here' cmake_install "$tmp/cmake-static" ${mbedtls:+-DWSQUERY_TLS=ON}
	check 'CMake: find_package, shared' cmake_shared
else
	skip 'no CMake here' 3
fi

finish
