#!/bin/sh
# SPDX-License-Identifier: ISC
# Builds each example as a separate program and runs it against our echo server. Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

lib=$tmp/ws.o
sh make-dist.sh "$tmp/dist" && $CC $CFLAGS -std=c11 -fPIC -pthread -c -o "$lib" "$tmp/dist/ws.c" || exit 1

# build NAME [LIBRARIES...]
build() {
	example=$1
	shift
	# shellcheck disable=SC2086
	$CC $CFLAGS $strict -D_POSIX_C_SOURCE=200809L -I. -pthread -o "$tmp/$example" "examples/$example.c" $lib "$@"
}

start_echo
for name in query poll threads keepalive stream memory; do
	check "examples/$name.c" build $name
done

check 'query: an answer' gives 'good morning' "$tmp/query" "$url" 'good morning'
check 'query: a refusal' says 1 'connect to 127.0.0.1:9: Connection refused' "$tmp/query" ws://127.0.0.1:9/

many() { # many PROGRAM: 120 targets in one thread, some of them by name
	out=$("$1" question $(yes "$url ws://localhost:$port/" | head -n 60)) || return
	[ "$(echo "$out" | grep -c ': question$')" -eq 120 ]
}
check 'poll: many targets' many "$tmp/poll"
check 'poll: two of three fail' says 2 "localhost: [::1]:9: Connection refused; 127.0.0.1:9: Connection refused" \
	"$tmp/poll" question "$url" ws://localhost:9/ ws://127.0.0.1:9/

if offered ev.h -lev; then
	check examples/ev.c build ev -lev
	check 'ev: many targets' many "$tmp/ev"
	check 'ev: one fails' says 1 'Connection refused' "$tmp/ev" question ws://localhost:9/ "$url"
	line=
	python3 -c '' 2>/dev/null && background python3 test/deaf_port.py "$port"
	if [ "$line" = ready ]; then # the race: the first address is silent, and the second is tried meanwhile
		check 'ev: addresses race' says 0 "ws://localhost:$port/: question" "$tmp/ev" question "ws://localhost:$port/" "$url"
		check 'poll: addresses race' says 0 "ws://localhost:$port/: question" "$tmp/poll" question "ws://localhost:$port/"
	else
		skip 'addresses race: needs python3 and IPv6 on the loopback' 2
	fi
else
	skip 'ev: no libev here (Debian: libev-dev)' 5
fi

if offered uv.h -luv; then
	check examples/libuv.c build libuv -luv
	check 'libuv: many targets' many "$tmp/libuv"
	check 'libuv: one fails' says 1 'Connection refused' "$tmp/libuv" question ws://localhost:9/ "$url"
	if [ "$line" = ready ]; then
		check 'libuv: addresses race' says 0 "ws://localhost:$port/: question" "$tmp/libuv" question "ws://localhost:$port/"
	else
		skip 'libuv: addresses race: needs python3 and IPv6 on the loopback'
	fi
else
	skip 'libuv: no libuv here (Debian: libuv1-dev)' 4
fi

# feed: keepalive against a server that is silent, then closes, then resets, and then stays. A signal ends it.
feed() {
	background python3 test/fickle_server.py
	"$tmp/keepalive" "ws://127.0.0.1:$line/" TICKER 100 >"$tmp/feed" 2>"$tmp/feed.err" &
	feed_pid=$!
	tries=0
	until grep -q '^1: 4: TICKER$' "$tmp/feed" || [ $tries -eq 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill "$feed_pid" && wait "$feed_pid" || return
	cat "$tmp/feed" "$tmp/feed.err"
	[ "$(cat "$tmp/feed")" = "$(printf '1: %d: TICKER\n' 1 2 3 4)" ] \
		&& grep -q 'timed out: nothing came for .* ms, not even an answer to a ping$' "$tmp/feed.err" \
		&& grep -q 'closed by .* with 1001' "$tmp/feed.err" \
		&& [ "$(wc -l <"$tmp/feed.err")" -eq 3 ]
}
# flooded: keepalive against a server that always has one more message. A signal ends it nevertheless.
flooded() {
	"$tmp/keepalive" "${url}flood/0/16" x >"$tmp/flood" 2>&1 &
	flood_pid=$!
	tries=0
	until [ -s "$tmp/flood" ] || [ $tries -eq 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill "$flood_pid"
	tries=0
	while kill -0 "$flood_pid" 2>/dev/null; do
		[ $tries -lt 100 ] || kill -9 "$flood_pid"
		sleep 0.1
		tries=$((tries + 1))
	done
	wait "$flood_pid"
}
check 'keepalive: a signal ends it under a flood of messages' flooded
if python3 -c '' 2>/dev/null; then
	check 'keepalive: finds a silent server, and connects again each time' feed
	if [ -z "$sanitized" ]; then
		mkdir "$tmp/so"
		check 'the shared library' $CC -shared -pthread -o "$tmp/so/libwsquery.so.0" "$lib"
		check 'ws_query.py: an answer' gives 'from Python' env LD_LIBRARY_PATH="$tmp/so" \
			python3 examples/ws_query.py "$url" 'from Python'
		check 'ws_query.py: a refusal' says 1 'connect to 127.0.0.1:9: Connection refused' env LD_LIBRARY_PATH="$tmp/so" \
			python3 examples/ws_query.py ws://127.0.0.1:9/ x
	else
		skip 'ws_query.py: python3 is not built with sanitizers' 3
	fi
else
	skip 'keepalive, ws_query.py: need python3' 4
fi

check 'threads: 8 at once' gives '8 threads, 800 answers' "$tmp/threads" 8 "$url"

memory() {
	out=$("$tmp/memory") || return
	echo "$out"
	echo "$out" | grep -qx 'ok: from memory' || return
	echo "$out" | grep -qx 'timeout: receive from device.example:80 timed out after 5 s: nothing came' || return
	echo "$out" | grep -qE '^[0-9]+ bytes of the arena used at most, 0 left used, 5 s by its own clock$'
}
check 'memory: no operating system beneath' memory

# stream_in BYTES: receives one message of this size, and checks the connection's memory
stream_in() {
	# shellcheck disable=SC3045 # a shell without this option sets no limit
	got=$( ([ -n "$sanitized" ] || ulimit -v 100000 2>/dev/null; "$tmp/stream" "${url}flood/1/$1" </dev/null 2>"$tmp/stream.err") | wc -c)
	cat "$tmp/stream.err"
	held=$(sed -n 's/.*received, \([0-9]*\) bytes of memory.*/\1/p' "$tmp/stream.err")
	[ "$got" -eq "$1" ] && [ "$held" -le 139264 ]
}
check 'stream: 1 GiB in 136 KiB of memory' stream_in 1073741824
stream_through() {
	head -c 20000000 /dev/urandom >"$tmp/bytes"
	"$tmp/stream" "$url" <"$tmp/bytes" 2>"$tmp/stream.err" | cmp - "$tmp/bytes" && cat "$tmp/stream.err"
}
check 'stream: fragments of unknown number, out and back' stream_through

# own_tls NAME LIBRARIES UNTRUSTED OTHER-NAME: an example with its own TLS library, by name and by address,
# through a proxy, and with certificates that it must reject with these words
own_tls() {
	name=$1 program=$tmp/$1
	# shellcheck disable=SC2086
	check "examples/$name.c" build "$name" $2
	if [ -z "$tls_port" ]; then
		skip "$name: needs the openssl command and python3 for a server" 7
		return
	fi
	check "$name: an answer, by name" gives 'over TLS' "$program" -a "$tmp/cert.pem" "wss://localhost:$tls_port/" 'over TLS'
	check "$name: an answer, by address" gives 'over TLS' "$program" -a "$tmp/cert.pem" "wss://127.0.0.1:$tls_port/" 'over TLS'
	large=$(head -c 100000 /dev/zero | tr '\0' x)
	check "$name: a message of many records" gives "$large" "$program" -a "$tmp/cert.pem" "wss://localhost:$tls_port/" "$large"
	: >"$tmp/tunnels"
	check "$name: through a proxy" gives 'through it' "$program" -a "$tmp/cert.pem" -x "http://127.0.0.1:$proxy_port" \
		"wss://localhost:$tls_port/" 'through it'
	check "$name: the proxy saw it" gives "localhost:$tls_port" cat "$tmp/tunnels"
	check "$name: not trusted" says 1 "$3" "$program" "wss://localhost:$tls_port/"
	check "$name: another name" says 1 "$4" "$program" -a "$tmp/cert.pem" "wss://127.0.0.2:$tls_port/"
}

tls_port=
if openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -subj /CN=test \
	-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null && python3 -c 'import ssl' 2>/dev/null; then
	background python3 test/tls_front.py "$tmp/cert.pem" "$tmp/key.pem" "$port"
	tls_port=$line
	background sh -c "exec python3 test/connect_proxy.py 2>>'$tmp/tunnels'"
	proxy_port=$line
fi
if offered openssl/ssl.h -lssl -lcrypto; then
	own_tls openssl '-lssl -lcrypto' 'certificate verify failed: self-signed certificate' \
		'certificate verify failed: IP address mismatch'
else
	skip 'openssl: no OpenSSL here (Debian: libssl-dev)' 8
fi
if offered gnutls/gnutls.h -lgnutls; then
	own_tls gnutls -lgnutls 'The certificate issuer is unknown' 'The name in the certificate does not match'
else
	skip 'gnutls: no GnuTLS here (Debian: libgnutls28-dev)' 8
fi

finish
