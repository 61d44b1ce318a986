#!/usr/bin/env bash
# Counts the instructions of one hello request, over HTTP/1.1 and over FastCGI, and compares them with tests/request_cost.txt.
#
#   tests/request_cost.sh            exit code 1 when one needs over 5 % more than is written there
#   tests/request_cost.sh --update   writes the numbers of this tree
#
# The example hello is built as it is released and runs under valgrind's Callgrind with N and 2 N requests on one kept
# connection. The number is (I(2N) - I(N)) / N: what the process executes in user space, without its start. Instructions are
# not time, but two runs agree to a percent whatever else the machine does. Another compiler may give other numbers: then
# they are written anew, in a commit of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
allowed=5
numbers=tests/request_cost.txt

case ${1:-} in
  '') update=no ;;
  --update) update=yes ;;
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) echo "tests/request_cost.sh: unknown argument $1" >&2; exit 2 ;;
esac
command -v valgrind >/dev/null || { echo "tests/request_cost.sh: valgrind is missing; install the package of that name" >&2; exit 2; }

target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release -p gateway-examples --no-default-features --features server --bin hello
cargo build --quiet -p gateway-tests --bin request_cost

failed=0
written=$(mktemp)
trap 'rm -f "$written"' EXIT
sed '/^[^#]/d' "$numbers" >"$written"
for gateway in http fastcgi; do
  counted=$("$target/debug/request_cost" "$gateway" "$target/release/hello")
  echo "$gateway-hello $counted" >>"$written"
  kept=$(sed -n "s/^$gateway-hello //p" "$numbers")
  if [ "$update" = yes ]; then
    echo "$gateway-hello: $counted instructions, were ${kept:-none}"
  elif [ $((counted * 100)) -gt $((kept * (100 + allowed))) ]; then
    failed=1
    echo "$gateway-hello: $counted instructions, over $allowed % more than the $kept of $numbers"
  elif [ $((counted * 100)) -lt $((kept * (100 - allowed))) ]; then
    echo "$gateway-hello: $counted instructions, fewer than the $kept of $numbers: tests/request_cost.sh --update keeps that"
  else
    echo "$gateway-hello: $counted instructions, about the $kept of $numbers"
  fi
done
if [ "$update" = yes ]; then cp "$written" "$numbers"; fi
exit "$failed"
