#!/bin/sh
# SPDX-License-Identifier: ISC
# The files for packagers: their versions, and what their functions and rules build and install. Small scripts replace the
# tools of the distributions. Two builds in different directories must give the same bytes. Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

version=$(sed -n 's/^#define WS_VERSION "\(.*\)"$/\1/p' ws.h)
tls=none
offered mbedtls/ssl.h -lmbedtls -lmbedx509 -lmbedcrypto && tls=mbedtls

versions() { # every file for packagers must have the version of ws.h
	head -n 1 debian/changelog | grep "^wsquery ($version)" && grep -x "pkgver=$version" contrib/packages/alpine/APKBUILD \
		&& grep -x "PKG_VERSION:=$version" contrib/packages/openwrt/Makefile
}
check 'the versions are that of ws.h' versions

# Alpine's tree is built already
built_tree "$tmp/alpine"

# make for this machine, like the other builds: with mbedTLS only if it is installed
mkdir "$tmp/bin"
cat >"$tmp/bin/make" <<-X
	#!/bin/sh
	PATH=$PATH
	exec make "\$@" CC="$CC" CFLAGS="$CFLAGS" TLS=$tls
X
chmod +x "$tmp/bin/make"

# Alpine: the functions of APKBUILD, one after another
cat >"$tmp/abuild" <<'X'
set -e
amove() { # moves files from $pkgdir to the package being made
	for file; do
		(cd "$pkgdir" && ls $file | while read -r name; do
			mkdir -p "$subpkgdir/$(dirname "$name")" && mv "$name" "$subpkgdir/$name" || exit
		done)
	done
}
. "$1"
cd "$2"
pkgdir=$3/main subpkgdir=$3/libs
build
package
case " $(echo $subpackages) " in *" libwsquery:libs "*) libs ;; esac
X
alpine() {
	PATH=$tmp/bin:$PATH sh -eu "$tmp/abuild" contrib/packages/alpine/APKBUILD "$tmp/alpine" "$tmp/apk" || return
	[ -x "$tmp/apk/main/usr/bin/wsquery" ] && [ -f "$tmp/apk/libs/usr/lib/libwsquery.so.0" ] || return
	[ ! -e "$tmp/apk/main/usr/lib/libwsquery.so.0" ] && "$tmp/apk/main/usr/bin/wsquery" --version
}
check 'Alpine: APKBUILD builds and installs' alpine

# OpenWrt: the rules, with replacements for the two files that it includes
copy_tree "$tmp/a directory/openwrt/wsquery-$version"
mkdir "$tmp/openwrt"
cat >"$tmp/openwrt/rules.mk" <<'X'
INCLUDE_DIR = $(TOPDIR)
INSTALL_DIR = install -d -m0755
INSTALL_BIN = install -m0755
PKG_BUILD_DIR = $(TOPDIR)/tree
X
cat >"$tmp/openwrt/package.mk" <<'X'
define Build/Compile/Default
$(MAKE) -C $(PKG_BUILD_DIR) $(MAKE_FLAGS) $(1)
endef
define BuildPackage
all:
	$(call Build/Compile)
	$(call Package/$(1)/install,$(TOPDIR)/root)
endef
X
ln -s "$tmp/a directory/openwrt/wsquery-$version" "$tmp/openwrt/tree"
openwrt() {
	make -f contrib/packages/openwrt/Makefile TOPDIR="$tmp/openwrt" MAKE="$tmp/bin/make" all || return
	"$tmp/openwrt/root/usr/bin/wsquery" --version
}
check 'OpenWrt: the Makefile builds and installs' openwrt

same() { # same FILE: it must be in both trees, with the same content
	cmp "$tmp/alpine/$1" "$tmp/a directory/openwrt/wsquery-$version/$1"
}
"$tmp/bin/make" -C "$tmp/openwrt/tree" PREFIX=/usr all libwsquery.so wsquery.pc >/dev/null 2>&1
for file in wsquery libwsquery.a libwsquery.so wsquery.pc; do
	check "reproducible: $file" same $file
done
static_twice() {
	for tree in alpine openwrt/tree; do
		(cd "$tmp/$tree" && exec make static) || return
	done
	same build/static/wsquery
}
if command -v musl-gcc >/dev/null; then
	check 'reproducible: the static program' static_twice
else
	skip 'no musl-gcc here'
fi

finish
