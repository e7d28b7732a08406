#!/bin/sh
# SPDX-License-Identifier: ISC
# Runs the examples of README.md, INSTALL.md and LIBRARY.md unchanged, except that port 8080 becomes that of our echo server.
# A comment <!-- --> above a block may name a file, or say that the block is not run.
#	```console	its commands are typed; "..." in their output matches anything
#	```sh		run
#	```c		compiled without a warning, as C++20 too, and run; kept in the named file
#	```dockerfile	the command of HEALTHCHECK is run
#	```cmake, ```meson	if the file is CMakeLists.txt or meson.build: builds app.c with dist, and the program is run
# Also checks that the manual pages have all functions and options. The examples of wsquery.1 are run by test/cli/test_manual.py.
# Last line: N passed, N failed
. "$(dirname "$0")/shell.sh"

unset http_proxy all_proxy ALL_PROXY ws_proxy WS_PROXY
work=$tmp/work optimized=$CFLAGS
built_tree "$work"
make -C "$work" CC="$CC" CFLAGS="$CFLAGS" -s all >"$tmp/make.out" 2>&1 || {
	cat "$tmp/make.out"
	exit 1
}
PATH=$work:$PATH HOME=$tmp/home
export PATH HOME
mkdir "$HOME" "$tmp/blocks"
start_echo
mbedtls=
offered mbedtls/ssl.h -lmbedtls -lmbedx509 -lmbedcrypto && mbedtls=1

documents='README.md INSTALL.md LIBRARY.md'
# NUMBER.DOCUMENT.LANGUAGE, with .note added for the comment above the block
awk -v dir="$tmp/blocks" -v port="$port" '
	{ sub(/^   /, "") }
	/^<!-- .* -->$/ { note = $0 }
	/^```/ && inside { close(file); inside = 0; note = ""; next }
	/^```[a-z]/ {
		inside = 1
		file = sprintf("%s/%03d.%s.%s", dir, ++n, FILENAME, substr($0, 4))
		print note > (file ".note")
		close(file ".note")
		next
	}
	inside { gsub(/:8080/, ":" port); print > file }
	!inside && !/^<!--/ && NF { note = "" }' $documents

# typed BLOCK: runs a script of its commands, which shows each before it runs; the output must be the block
typed() {
	awk '
	/^\$ / {
		line = substr($0, 3)
		gsub(/'\''/, "'\''\\'\'''\''", line)
		print "status=$?; printf '\''$ %s\\n'\'' '\''" line "'\''; (exit $status)"
		print substr($0, 3)
	}' "$1" >"$1.script"
	(cd "$work" && sh "$1.script") >"$1.out" 2>&1
	awk -v want="$1" '
	{
		if ((getline line <want) <= 0)
			bad = "more than expected: " $0
		else {
			n = split(line, part, /\.\.\./)
			at = 1
			ok = substr($0, 1, length(part[1])) == part[1]
			at += length(part[1])
			for (i = 2; ok && i <= n; i++) {
				k = part[i] == "" ? length($0) + 2 - at : index(substr($0, at), part[i])
				ok = k > 0
				at += k - 1 + length(part[i])
			}
			if (!ok || at != length($0) + 1)
				bad = "got:  " $0 "\nwant: " line
		}
		if (bad != "") { print bad; exit 1 }
	}
	END { if (bad == "" && (getline line <want) > 0) { print "missing: " line; exit 1 } }' "$1.out"
}

program() { # program BLOCK NAME
	cp "$1" "$work/$2"
	$CC $optimized -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -pthread -I. -o "$tmp/program" "$work/$2" \
		"$work/libwsquery.a" $(sed -n 's/^Libs.private://p' "$work/wsquery.pc") && "$tmp/program"
}

cxx20() { # cxx20 BLOCK: compiles the same text as C++
	cp "$1" "$tmp/example.cc"
	$CXX $optimized -std=c++20 -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Werror -I"$work" -c -o "$tmp/example.o" \
		"$tmp/example.cc"
}

run() {
	(cd "$work" && sh -e "$1")
}

project() { # project BLOCK NAME COMMAND...: builds build/app, which answers and has TLS where there is mbedTLS
	at=$tmp/$2.project name=$2
	mkdir "$at" && cp "$1" "$at/$name" && cp -R "$work/app.c" "$work/dist" "$at" || return
	shift 2
	(cd "$at" && "$@") && gives Hello "$at/build/app" || return
	[ -z "$mbedtls" ] || grep -q mbedTLS/ "$at/build/app"
}
by_cmake() {
	cmake -B build && cmake --build build
}
by_meson() {
	meson setup build && meson compile -C build
}

health() { # prints the words of HEALTHCHECK's CMD
	eval "set -- $(sed -n 's/^HEALTHCHECK.*CMD \[\(.*\)\]$/\1/p' "$1" | sed 's/", "/" "/g')"
	cmd=$1
	shift
	[ "$cmd" = /wsquery ] && wsquery "$@" && ! wsquery "$@" -t 1 --check ws://127.0.0.1:9/
}

cxx=1
echo 'int main() { struct { int a, b; } s = {.a = 1}; return s.b; }' >"$tmp/offered.cc"
$CXX -std=c++20 -c -o "$tmp/offered" "$tmp/offered.cc" 2>/dev/null || {
	skip "README: no C++20 compiler here ($CXX)" 3
	cxx=
}
make -C "$work" CC="$CC" CFLAGS="$CFLAGS" -s wsquery.pc >/dev/null 2>&1
for block in "$tmp"/blocks/*; do
	note=$(cat "$block.note" 2>/dev/null)
	what="$(basename "$block"): $(head -n 1 "$block")"
	case $note in *'not run'*) continue ;; esac
	lacks=
	for tool in pkg-config 'make static'; do
		grep -q "$tool" "$block" && ! command -v "$(echo "$tool" | sed 's/make static/musl-gcc/')" >/dev/null && lacks=$tool
	done
	case $note in
	*CMakeLists.txt*) command -v cmake >/dev/null || lacks=CMake ;;
	*meson.build*) command -v meson >/dev/null || lacks=Meson ;;
	esac
	[ -n "$mbedtls" ] || ! grep -q '^. cc .*-lmbedtls' "$block" || lacks=mbedTLS
	if [ -n "$lacks" ]; then
		skip "$what ($lacks is not installed)"
		continue
	fi
	case $block in
	*.console) check "$what" typed "$block" ;;
	*.sh) check "$what" run "$block" ;;
	*.c)
		name=${note#*file: }
		[ "$name" != "$note" ] || name=example.c
		check "$what" program "$block" "${name% -->}"
		[ -z "$cxx" ] || check "$what (C++20)" cxx20 "$block"
		;;
	*.cmake) case $note in *CMakeLists.txt*) check "$what" project "$block" CMakeLists.txt by_cmake ;; esac ;;
	*.meson) check "$what" project "$block" meson.build by_meson ;;
	*.dockerfile) check "$what" health "$block" ;;
	esac
done

# The first program of ws.h
sed -n '/A first program:$/,/^ \* The following/s/^ \*	//p' ws.h | sed "s/:8080/:$port/; s/\"hi\"/\"hello\"/; s/, 2) == 2/, 5) == 5/" \
	>"$tmp/first.c"
first() {
	gives hello program "$tmp/first.c" first.c
}
check 'ws.h: its first program' first
[ -z "$cxx" ] || check 'ws.h: its first program (C++20)' cxx20 "$tmp/first.c"

# The example of libwsquery.3
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/{ /^\./d; p; }' libwsquery.3 | sed 1d | sed "s/:8080/:$port/; s|<wsquery/ws.h>|\"ws.h\"|; s/\\\\e/\\\\/g" \
	>"$tmp/manual.c"
manual() {
	gives hello program "$tmp/manual.c" manual.c
}
check 'libwsquery.3: its example' manual
[ -z "$cxx" ] || check 'libwsquery.3: its example (C++20)' cxx20 "$tmp/manual.c"

# each WORDS COMMAND...: runs the command with each word; there must be at least one
each() {
	each_words=$1
	shift
	[ -n "$each_words" ] || {
		echo 'there is nothing to look at'
		return 1
	}
	for each_word in $each_words; do
		"$@" "$each_word" || {
			echo "not so: $* $each_word"
			return 1
		}
	done
}

links() { # links DOCUMENT: the targets of its links must exist
	linking=$1
	each "$(grep -o '](\([^)]*\))' "$1" | sed 's/](\(.*\))/\1/')" leads
}
leads() { # leads LINK: the target is a file, one of its headings, or a heading of the same document
	case $1 in
	http*) return ;;
	'#'*) target=$linking ;;
	*) target=$(dirname "$linking")/${1%%#*} ;;
	esac
	test -e "$target" || return
	case $1 in
	*'#'*) sed -n '/^```/,/^```/!s/^##* //p' "$target" | tr 'A-Z ' 'a-z-' | grep -qx -e "${1#*#}" ;;
	esac
}
for document in $documents SECURITY.md HACKING.md; do
	check "$document: its links" links "$document"
done
limits() { # the limits in the manual must be those of ws.h
	max() {
		sed -n "s/^#define WS_MAX_$1 \([0-9]*\).*/\1/p" ws.h
	}
	text="$(($(max HEAD) / 1024)) KiB and $(max HEAD_LINES) lines of a response's head, $(($(max BODY) / 1024)) KiB of a refused \
upgrade's body, $(($(max URL) / 1024)) KiB of a URL, $(max ADDRESSES) addresses of a name"
	tr -s '\n ' ' ' <wsquery.1 | grep -qF "$text" || {
		echo "wsquery.1 does not say: $text"
		return 1
	}
}
check 'wsquery.1: its limits' limits
map() { # every source file must have its line
	each "$(sh make-dist.sh -l | sed 's/[^ ]*/&.c/g') main.c tls*.c $(ls cli/*.c)" mapped
}
mapped() { # FILE
	grep -qF -e "\`$1\`" HACKING.md
}
check 'HACKING.md: all source files' map
named_limits() { # SECURITY.md must have each limit of ws.h with its value
	each "$(sed -n 's/^#define WS_MAX_\([A-Z_]*\) \([0-9]*\).*/\1=\2/p' ws.h)" limit_named
}
limit_named() { # NAME=VALUE
	grep -qF "| \`WS_MAX_${1%=*}\` | \`ws.h\` | ${1#*=} |" SECURITY.md
}
check 'SECURITY.md: all limits of ws.h' named_limits
functions() {
	each "$(sed -n 's/^\(WS_API\|static inline\) .*[ *]\(ws_[a-z_]*\)(.*/\2/p' ws.h)" manual_has
}
manual_has() { # FUNCTION
	grep -q "^\.F[no] $1\( \|\$\)" libwsquery.3 && grep -q "^\.Nm $1\( \|\$\)" libwsquery.3
}
check 'libwsquery.3: all functions of ws.h' functions
manual_options() {
	each "$(wsquery --help | grep -oE -- ' --[a-z][a-z0-9-]+' | sed 's/ --//' | sort -u)" manual_has_option
}
manual_has_option() { # OPTION
	grep -qE "^\.It .*Fl -$1( |\$)" wsquery.1
}
check 'wsquery.1: all options of --help' manual_options
options() { # the manual must not have other options
	wsquery --help | grep -oE -- '--[a-z][a-z0-9-]+' >"$tmp/options"
	each "$(grep '^\.It .*Fl' wsquery.1 | grep -oE -- 'Fl -[a-z][a-z0-9-]+' | sed 's/Fl /-/' | grep -vx -e --completion)" help_has
}
help_has() { # OPTION
	grep -qx -e "$1" "$tmp/options"
}
check 'wsquery.1: its options are the program'"'"'s' options
if command -v mandoc >/dev/null; then
	for page in libwsquery.3 wsquery.1; do
		check "$page: mandoc -T lint" mandoc -T lint -W warning $page
	done
else
	skip 'no mandoc here' 2
fi

finish
