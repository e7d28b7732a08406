#!/bin/sh
# SPDX-License-Identifier: ISC
# Common code of the shell tests. It changes to the top of the project, makes a directory $tmp that is
# removed at the end, and defines the functions below.
# CC, CXX and CFLAGS are the user's, and may turn on sanitizers.
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL # these belong to the make that runs the tests, not to those that the tests run
tmp=$(mktemp -d) || exit 1
trap 'stop_servers; rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
CC=${CC:-cc} CFLAGS=${CFLAGS:--Os}
CXX=${CXX:-$(echo "$CC" | sed 's/clang/clang++/; s/gcc/g++/; s/^cc/c++/')}
# shellcheck disable=SC2034 # the scripts that read this use it
case $CFLAGS in
*-fsanitize*) sanitized=1 ;;
*) sanitized= ;;
esac
# shellcheck disable=SC2034 # the same
strict="-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
	-Wwrite-strings -Wvla -Wundef -Werror"
passed=0 failed=0 skipped=0 servers=

# check WHAT COMMAND...: counts a test. The command's output is shown if it fails
check() {
	check_what=$1
	shift
	if "$@" >"$tmp/check.out" 2>&1; then
		passed=$((passed + 1))
	else
		echo "failed ($?): $check_what: $*"
		sed 's/^/	/' "$tmp/check.out" | head -n 40
		failed=$((failed + 1))
	fi
}

# skip WHY [N]: counts N skipped tests
skip() {
	echo "skipped: $1"
	skipped=$((skipped + ${2:-1}))
}

# gives TEXT COMMAND...: checks that the command succeeds, and that its stdout is TEXT
gives() {
	gives_text=$1
	shift
	gives_out=$("$@") || return
	[ "$gives_out" = "$gives_text" ] || {
		printf 'got:  %s\nwant: %s\n' "$gives_out" "$gives_text"
		return 1
	}
}

# says STATUS TEXT COMMAND...: checks the exit status, and that a line on stdout or stderr contains TEXT
says() {
	says_status=$1 says_text=$2
	shift 2
	says_out=$("$@" 2>&1)
	says_got=$?
	echo "$says_out"
	[ $says_got -eq "$says_status" ] || {
		echo "status $says_got, not $says_status"
		return 1
	}
	case $says_out in
	*"$says_text"*) ;;
	*) echo "it does not say: $says_text" && return 1 ;;
	esac
}

# Builds test/echo_server in $tmp and starts it: url is "ws://127.0.0.1:PORT/", port its PORT
start_echo() {
	[ -x "$tmp/echo_server" ] \
		|| $CC -std=c11 -O1 -I. -o "$tmp/echo_server" test/echo_server.c sha1.c base64.c || exit 1
	mkfifo "$tmp/echo.in" "$tmp/echo.url" || exit 1
	"$tmp/echo_server" <"$tmp/echo.in" >"$tmp/echo.url" &
	exec 9>"$tmp/echo.in" # the server runs until this is closed
	read -r url <"$tmp/echo.url" || exit 1
	port=${url#ws://*:} port=${port%/}
}

# offered HEADER [LIBRARY...]: a program that uses them can be compiled
offered() {
	offered_header=$1
	shift
	printf '#include <%s>\nint main(void) { return 0; }\n' "$offered_header" >"$tmp/offered.c"
	$CC $CFLAGS -o "$tmp/offered" "$tmp/offered.c" "$@" 2>/dev/null
}

# copy_tree DIRECTORY: copies the sources, without anything that was built
copy_tree() {
	mkdir -p "$1/test" "$1/bench" "$1/cli" || exit 1
	cp -R Makefile CMakeLists.txt LICENSE *.c *.h *.sh *.in *.md *.json *.[0-9] examples tls-static "$1" 2>/dev/null
	cp -R test/*.[chp]* test/*.sh test/*.mk test/consumer test/tls "$1/test" 2>/dev/null
	cp cli/*.[ch] "$1/cli" || exit 1
	cp bench/*.[cpm]* "$1/bench" 2>/dev/null
}

# built_tree DIRECTORY: copies the sources, and what make builds out of them with these flags, which do not optimize: that
# takes a quarter of the time. Scripts share what was built if BUILT_TREE is set. The flags stay, so that make finds all up to
# date; make static reads only CPPFLAGS
built_tree() {
	CFLAGS="$CFLAGS -O0 -g0" CPPFLAGS="$CPPFLAGS -O0"
	export CC CFLAGS CPPFLAGS
	built=${BUILT_TREE:-$tmp/built}
	[ -d "$built" ] || {
		copy_tree "$built"
		make -C "$built" all libwsquery.so >/dev/null 2>&1 # if this fails, the script's own make says why
	}
	cp -Rp "$built" "$1" || exit 1
}

# table_into DOCUMENT BEGINNING: replaces the document's table whose first line begins so by $tmp/table
table_into() {
	awk -v table="$tmp/table" -v beginning="$2" '
	index($0, beginning) == 1 { while ((getline line <table) > 0) print line; old = 1 }
	!/^\|/ { old = 0 }
	!old { print }' "$1" >"$tmp/document" && cat "$tmp/document" >"$1"
}

# background COMMAND...: starts a command that ends with the script. Sets line to the first line of its stdout
background() {
	[ -p "$tmp/line" ] || mkfifo "$tmp/line" || exit 1
	"$@" 9>&- >"$tmp/line" 2>/dev/null &
	servers="$servers $!"
	# shellcheck disable=SC2034 # the calling script uses it
	read -r line <"$tmp/line" || line=
}

stop_servers() {
	exec 9>&-
	for server in $servers; do
		kill "$server" 2>/dev/null
	done
	wait
}

finish() {
	tail=
	[ $skipped -gt 0 ] && tail=", $skipped skipped"
	echo "$passed passed, $failed failed$tail"
	[ $failed -eq 0 ] && [ $passed -gt 0 ]
	exit
}
