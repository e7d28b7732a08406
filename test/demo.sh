#!/bin/sh
# SPDX-License-Identifier: ISC
# make demo: asks our own echo server, and shows the command
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkfifo "$dir/in" "$dir/out" || exit 1
test/echo_server <"$dir/in" >"$dir/out" &
exec 3>"$dir/in" # the server ends when this does
read -r url <"$dir/out" || exit 1
echo "\$ ./wsquery --data 'Hello, WebSocket' --details $url"
./wsquery --data 'Hello, WebSocket' --details "$url"
status=$?
exec 3>&-
wait
exit $status
