#!/bin/sh
# SPDX-License-Identifier: ISC
# make dist: the whole library as two files, dist/ws.c and dist/ws.h. Changes are made in the small files.
#
# usage: make-dist.sh [DIRECTORY]	default dist
#        PREFIX_SYMBOLS=foo_ make-dist.sh [DIRECTORY]
#					the linker sees foo_ws_open instead of ws_open, and so on: for two copies in
#					one program. Programs still write ws_open
#        make-dist.sh -l		prints the names of the library's files without those of TLS
#        make-dist.sh -L		prints them with those of TLS
lib='text sha1 base64 utf8 ip secret url url_show frame header request response refusal proxy no_proxy sys sys_words resolve net net_none conn copy check upgrade open keepalive buffer cancel transport send recv ws'
tls='trust der chain tls_port tls_words tls_trust tls_config tls_verdict tls_wire tls'
set -eu
cd "$(dirname "$0")"
case ${1-} in
-l) echo "$lib" && exit ;;
-L) echo "$lib $tls" && exit ;;
esac
dist=${1-dist}
version=$(sed -n 's/^#define WS_VERSION "\(.*\)"$/\1/p' ws.h)
number=$(sed -n 's/^#define WS_VERSION_NUMBER \(0x[0-9a-f]*\).*/\1/p' ws.h)
[ -n "$version" ] && [ -n "$number" ] || exit 1

# part FILE: prints it without its license line, without headers that are already included, and without feature macros,
# which would come too late
part() {
	echo
	echo "/* ======== $1 ======== */"
	awk '
	NR == 1 && /SPDX-License-Identifier/ { print "/*"; next }
	/^#include "ws/ { next }
	/^#ifndef _[A-Z]*_SOURCE$/ { macro = 1 }
	!macro { print }
	/^#endif/ { macro = 0 }
	' "$1"
}

prefix=${PREFIX_SYMBOLS-}
case $prefix in
[0-9]* | *[!A-Za-z0-9_]*)
	echo "make-dist.sh: PREFIX_SYMBOLS=$prefix: a prefix has letters, digits and _, and begins with no digit" >&2
	exit 1
	;;
esac

# names: prints the functions that ws.h exports, and the tags of its types
names() {
	sed -n -e 's/^WS_API .*[ *]\(ws_[a-z_]*\)(.*/\1/p' -e 's/^\(struct\|enum\) \(ws_[a-z_]*\) {.*/\2/p' \
		-e 's/^struct \(ws_[a-z_]*\);$/\1/p' ws.h | sort -u
}

# header: prints ws.h, with a macro for each name if there is a prefix
header() {
	[ -n "$prefix" ] || {
		cat ws.h
		return
	}
	sed '/^#include <stdint.h>$/q' ws.h
	echo
	echo "/* PREFIX_SYMBOLS=$prefix: what the linker sees */"
	names | sed "s/.*/#define & $prefix&/"
	sed '1,/^#include <stdint.h>$/d' ws.h
}

mkdir -p "$dist"
header >"$dist/ws.h"
{
	cat <<E
/* SPDX-License-Identifier: ISC
 *
$(sed 's/^/ * /; s/ *$//' LICENSE)
 *
 * ws.c $version - a WebSocket client in two files; the manual is ws.h. Made by make-dist.sh out of smaller ones.
 *
 *	cc -std=c11 -pthread -c ws.c				ws:// alone
 *	cc -std=c11 -pthread -DWS_WITH_MBEDTLS -c ws.c		wss:// too; link with -lmbedtls -lmbedx509 -lmbedcrypto
 *
 * Leave out what is not wanted: -DWS_NO_THREADS -DWS_NO_RESOLVER -DWS_NO_PROXY -DWS_NO_REDIRECTS -DWS_NO_NET.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws.h"
#if WS_VERSION_NUMBER != $number
#error "this ws.c is of version $version, and ws.h of another"
#endif

/* All but the functions of ws.h stays in this file */
#if defined(__GNUC__)
#define WSI static __attribute__((unused))
#else
#define WSI static
#endif
E
	for header in ws_pure.h ws_proto.h ws_net.h ws_tls.h ws_mbedtls.h ws_conn.h; do
		part $header
	done
	for file in ${lib% ws} $tls ws; do
		part "$file.c"
	done
} >"$dist/ws.c.new"
mv "$dist/ws.c.new" "$dist/ws.c"
