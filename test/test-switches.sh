#!/bin/sh
# SPDX-License-Identifier: ISC
# Builds the program with each build switch and with all of them; it must answer a query and say what it lacks. With -t or
# -w, makes a table of what each switch saves, in bytes of code and data at -Os: in a program with the library
# (examples/query.c) and in wsquery. Without these options it builds at -O0, which is faster. Last line: N passed, N failed
# usage: test-switches.sh [-t | -w]	-t: only the table; -w: puts it into INSTALL.md
. "$(dirname "$0")/shell.sh"

table=${1-}
level=-O0
[ -z "$table" ] || level=-Os
CFLAGS="$level -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
LDFLAGS=-Wl,--gc-sections
lib=$(sh make-dist.sh -l | sed "s|[^ ]*|$tmp/tree/&.o|g")
lib_tls=$(sh make-dist.sh -L | sed "s|[^ ]*|$tmp/tree/&.o|g")
copy_tree "$tmp/tree"
cp examples/query.c "$tmp/example.c"
[ -z "$table" ] || exec 8>&1 >/dev/null

bytes() { # bytes FILE: code and data
	size "$1" | awk 'NR == 2 { print $1 + $2 }'
}

# build TLS FLAGS: builds wsquery in $tmp/tree, and the example with the library's objects from there
build() {
	make -C "$tmp/tree" CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS" CPPFLAGS="$2" TLS="$1" wsquery || return
	objects=$lib libs=
	[ "$1" = mbedtls ] && objects=$lib_tls libs='-lmbedtls -lmbedx509 -lmbedcrypto'
	$CC -std=c11 $CFLAGS $2 -I. -pthread -o "$tmp/example" "$tmp/example.c" $objects $libs $LDFLAGS
}

row() { # row NAME TLS FLAGS: builds, and writes its line of the table if that is wanted
	check "$1: built" build "$2" "$3"
	[ -n "$table" ] || return 0
	example=$(bytes "$tmp/example") program=$(bytes "$tmp/tree/wsquery")
	[ "$1" = nothing ] && base_example=$example base_program=$program
	printf '| %s | %d | %+d | %d | %+d |\n' "$1" "$example" "$((example - base_example))" "$program" \
		"$((program - base_program))" >>"$tmp/table"
}
printf '| %s | %s | | %s | |\n| --- | ---: | ---: | ---: | ---: |\n' 'left out' 'examples/query.c' wsquery >"$tmp/table"

query() {
	echo "$url"
	gives "{\"connection\": true, \"data\": \"$1\"}" "$tmp/tree/wsquery" -d "$1" "$url"
}
built_in() { # built_in PARTS: --version must list exactly these
	"$tmp/tree/wsquery" --version >"$tmp/version" && gives "built in:${1:+ $1}" sed -n '/^built in:/p' "$tmp/version"
}
resolves() { # hosts that need no resolver must work
	gives '{"connection": true, "data": "by name"}' "$tmp/tree/wsquery" -d 'by name' "ws://localhost:$port/"
}

asks() { # asks FUNCTION: the program uses this function of the C library
	nm -u "$tmp/tree/wsquery" >"$tmp/undefined" && grep -q "$1" "$tmp/undefined"
}
asks_no() {
	nm -u "$tmp/tree/wsquery" >"$tmp/undefined" && ! grep "$1" "$tmp/undefined"
}

start_echo
row nothing none ''
check 'nothing left out: makes threads' asks pthread_create
check 'nothing left out: asks the resolver' asks getaddrinfo
check 'nothing left out: a query' query nothing
check 'nothing left out: says so' built_in 'resolver threads proxies redirects nagios prometheus'

row WS_NO_THREADS none -DWS_NO_THREADS
check 'WS_NO_THREADS: a query' query threads
check 'WS_NO_THREADS: localhost' resolves
check 'WS_NO_THREADS: says so' built_in 'resolver proxies redirects nagios prometheus'
check 'WS_NO_THREADS: makes none' asks_no pthread_create

row WS_NO_RESOLVER none -DWS_NO_RESOLVER
check 'WS_NO_RESOLVER: a query' query resolver
check 'WS_NO_RESOLVER: localhost' resolves
check 'WS_NO_RESOLVER: a name' says 1 'no resolver' "$tmp/tree/wsquery" ws://name.example/
check 'WS_NO_RESOLVER: says so' built_in 'proxies redirects nagios prometheus'
check 'WS_NO_RESOLVER: asks none' asks_no getaddrinfo

row WS_NO_PROXY none -DWS_NO_PROXY
check 'WS_NO_PROXY: a query' query proxy
check 'WS_NO_PROXY: -x' says 64 'not built in' "$tmp/tree/wsquery" -x http://127.0.0.1:9 "$url"
check 'WS_NO_PROXY: says so' built_in 'resolver threads redirects nagios prometheus'

row WS_NO_REDIRECTS none -DWS_NO_REDIRECTS
check 'WS_NO_REDIRECTS: a query' query redirects
check 'WS_NO_REDIRECTS: --max-redirs' says 64 'not built in' "$tmp/tree/wsquery" --max-redirs 2 "$url"
check 'WS_NO_REDIRECTS: says so' built_in 'resolver threads proxies nagios prometheus'

row WSQUERY_NO_FORMATS none -DWSQUERY_NO_FORMATS
check 'WSQUERY_NO_FORMATS: a query' query formats
check 'WSQUERY_NO_FORMATS: says so' built_in 'resolver threads proxies redirects'
for format in nagios prometheus; do
	check "WSQUERY_NO_FORMATS: -f $format" says 64 'not built in' "$tmp/tree/wsquery" -f $format "$url"
done

row WS_NO_NET none -DWS_NO_NET
check 'WS_NO_NET: has neither proxies nor redirects' built_in 'nagios prometheus'
check 'WS_NO_NET: says so' says 1 'this build has no sockets' "$tmp/tree/wsquery" "$url"

row 'all of these but WS_NO_NET' none '-DWS_NO_THREADS -DWS_NO_RESOLVER -DWS_NO_PROXY -DWS_NO_REDIRECTS -DWSQUERY_NO_FORMATS'
check 'all: a query' query all
check 'all: says so' built_in ''
check 'all: localhost' resolves

if offered mbedtls/ssl.h -lmbedtls -lmbedx509 -lmbedcrypto; then
	row 'nothing, and with TLS' mbedtls ''
	check 'TLS: a query' query tls
else
	skip 'no mbedTLS here' 2
fi

# A compiler without <stdatomic.h>
tcc() {
	make -C "$tmp/tree" CC=tcc CFLAGS= TLS=none clean wsquery && built_in 'resolver proxies redirects nagios prometheus' && query tcc
}
if command -v tcc >/dev/null && ! echo '#include <stdatomic.h>' | command tcc -E - >/dev/null 2>&1; then
	check 'tcc: built without threads' tcc
else
	skip 'tcc: not here, or it has <stdatomic.h>'
fi

[ -z "$table" ] || exec >&8
case $table in
-w) table_into INSTALL.md '| left out ' ;;
?*) cat "$tmp/table" ;;
esac
[ -z "$table" ] || exec >/dev/null
finish
