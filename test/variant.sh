#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/variant.sh NAME [MAKE_ARGUMENT]...
# Runs ${MAKE:-make} in build/NAME, a tree of links to these sources, so that several builds can exist side by side.
cd "$(dirname "$0")/.." || exit 1
name=$1
shift
sources() {
	git ls-files -co --exclude-standard 2>/dev/null ||
		find . \( -name build -o -name dist -o -name node_modules \) -prune -o -type f \
			\( -name '*.*' -o -name Makefile -o -name make-certs \) ! -name '*.o' ! -name '*.lo' ! -name '*.a' ! -name '*.so' -print
}
sources | while read -r f; do
	[ -e "build/$name/$f" ] || [ ! -f "$f" ] || {
		mkdir -p "build/$name/$(dirname "$f")"
		ln -sf "$PWD/$f" "build/$name/$f"
	}
done
cd "build/$name" && exec ${MAKE:-make} "$@"
