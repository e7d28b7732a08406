#!/bin/sh
# SPDX-License-Identifier: ISC
# usage: test/variant.sh NAME [MAKE_ARGUMENT]...
# Runs ${MAKE:-make} in build/NAME, a tree of links to this one: a build of its own beside others.
cd "$(dirname "$0")/.." || exit 1
name=$1
shift
top=$PWD
mkdir -p "build/$name" || exit 1
find . \( -name build -o -name dist -o -name .git -o -name node_modules -o -name __pycache__ \) -prune -o -type d -print |
	(cd "build/$name" && while read -r d; do mkdir -p "$d"; done)
find . \( -name build -o -name dist -o -name .git -o -name node_modules -o -name __pycache__ \) -prune -o -type f \( -name '*.[ch]' \
	-o -name '*.py' -o -name '*.sh' -o -name '*.md' -o -name '*.json' -o -name '*.in' -o -name '*.[1-9]' -o -name Makefile \
	-o -name '*.js' -o -name '*.dict' \) -print |
	(cd "build/$name" && while read -r f; do [ -e "$f" ] || ln -sf "$top/$f" "$f"; done)
cd "build/$name" && exec ${MAKE:-make} "$@"
