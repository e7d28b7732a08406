#!/bin/sh
# SPDX-License-Identifier: ISC
# Builds the Debian packages out of the sources, checks them with lintian, and uses their contents: the program answers,
# and a program is compiled with the library. Exits with 77 and the reason if the tools are missing.
# Last line: N passed, N failed
for tool in dpkg-buildpackage dh lintian; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done
. "$(dirname "$0")/shell.sh"

version=$(sed -n 's/^#define WS_VERSION "\(.*\)"$/\1/p' ws.h)
sources=$tmp/wsquery-$version
copy_tree "$sources"
cp -R debian "$sources" && chmod +x "$sources/debian/rules" || exit 1
# The packages are built as for Debian, but without the time that debugging information and optimized test programs take
export DEB_CFLAGS_APPEND=-g0 DEB_BUILD_OPTIONS=noautodbgsym TEST_CFLAGS="${TEST_CFLAGS:--O0}"
build() {
	(cd "$sources" && dpkg-buildpackage -us -uc -j"$(nproc)" >"$tmp/build" 2>&1) || {
		tail -n 40 "$tmp/build"
		return 1
	}
}
check 'dpkg-buildpackage' build
tested() { # the build ran the unit tests
	grep -E '^[0-9]+ passed, 0 failed' "$tmp/build"
}
check 'the unit tests ran' tested
check 'lintian' lintian --allow-root --fail-on error,warning "$tmp/wsquery_${version}_$(dpkg --print-architecture).changes"

files() { # files PACKAGE FILE...: the package has these files
	package=$1
	shift
	dpkg -c "$tmp/${package}_${version}_"*.deb >"$tmp/list" || return
	for file; do
		grep -q " \./$file\( \|\$\)" "$tmp/list" || {
			echo "$package lacks $file"
			return 1
		}
	done
}
lib=usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH)
check 'wsquery: its files' files wsquery usr/bin/wsquery usr/share/man/man1/wsquery.1.gz \
	usr/share/bash-completion/completions/wsquery usr/share/zsh/vendor-completions/_wsquery \
	usr/share/fish/vendor_completions.d/wsquery.fish
check 'libwsquery0: its files' files libwsquery0 "$lib/libwsquery.so.0"
check 'libwsquery-dev: its files' files libwsquery-dev usr/include/wsquery/ws.h "$lib/libwsquery.a" "$lib/libwsquery.so" \
	"$lib/pkgconfig/wsquery.pc" usr/share/man/man3/libwsquery.3.gz

start_echo
for package in "$tmp"/*.deb; do
	dpkg -x "$package" "$tmp/root" || exit 1
done
check 'the program answers' gives '{"connection": true, "data": "packed"}' "$tmp/root/usr/bin/wsquery" -d packed "$url"
library() { # finds the library as if the packages were installed
	sed 's|"ws.h"|<wsquery/ws.h>|' test/consumer/app.c >"$tmp/app.c"
	flags=$(PKG_CONFIG_SYSROOT_DIR=$tmp/root PKG_CONFIG_LIBDIR=$tmp/root/$lib/pkgconfig pkg-config --cflags --libs wsquery) || return
	# shellcheck disable=SC2086
	$CC -o "$tmp/app" "$tmp/app.c" $flags || return
	LD_LIBRARY_PATH=$tmp/root/$lib gives packed "$tmp/app" "$url" packed
}
check 'a program is compiled with the library' library

finish
