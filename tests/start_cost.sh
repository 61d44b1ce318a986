#!/usr/bin/env bash
# What a CGI request costs when the program is built in each of the ways of docs/cgi-start.md, side by side.
#
#   tests/start_cost.sh [--rounds N] [--times N] [NAME=PATH...]     programs of your own join the comparison
#
# Builds the example hello_cgi in each way, and the same answer in C where there is a compiler: statically linked (what the
# others are compared with; else /bin/true is), dynamically, and with musl where musl-gcc is. A way whose target is not
# installed is left out, and said so: `rustup target add x86_64-unknown-linux-musl`. Processor time and page faults are the
# kernel's, of the one that starts and the program together. Ratios within one run are the result; the microseconds belong
# to the machine and the day.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;; esac

target=${CARGO_TARGET_DIR:-target}
built=$(mktemp -d)
trap 'rm -r "$built"' EXIT
machine=$(uname -m)
programs=()

# name, rustc's flags, cargo's arguments. Flags differ, so each way has a folder of its own.
build() {
  local name=$1 flags=$2
  shift 2
  echo "building $name" >&2
  if ! RUSTFLAGS=$flags CARGO_TARGET_DIR="$target/start/$name" \
    cargo build --quiet -p gateway-examples --no-default-features --bin hello_cgi "$@" 2>"$built/log"; then
    if grep -q "target may not be installed" "$built/log"; then
      echo "left out: $name, whose target is not installed" >&2
      return
    fi
    cat "$built/log" >&2
    exit 1
  fi
  cp "$(find "$target/start/$name" -name hello_cgi -type f -path "*/$name_in/*" | head -n 1)" "$built/$name"
  programs+=("$name=$built/$name")
}

# name, compiler, its arguments
compile() {
  local name=$1
  shift
  command -v "$1" >/dev/null || { echo "left out: $name, for there is no $1" >&2; return; }
  "$@" -O2 -o "$built/$name" "$built/hello.c"
  programs+=("$name=$built/$name")
}

cat >"$built/hello.c" <<'C'
#include <stdlib.h>
#include <unistd.h>
static const char out[] = "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
int main(void) {
  if (!getenv("REQUEST_METHOD")) return 2;
  return write(1, out, sizeof out - 1) == (ssize_t)(sizeof out - 1) ? 0 : 1;
}
C
compile c-static cc -static
compile c-dynamic cc
compile c-musl musl-gcc -static
programs+=(true=/bin/true)

name_in=release build release "" --release
name_in=cgi build cgi "" --profile cgi
name_in=cgi build cgi-static "-C target-feature=+crt-static -C relocation-model=static" \
  --profile cgi --target "$machine-unknown-linux-gnu"
name_in=cgi build cgi-musl "-C relocation-model=static" --profile cgi --target "$machine-unknown-linux-musl"

cargo build --quiet -p gateway-tests --bin start_cost
"$target/debug/start_cost" "${programs[@]}" "$@"
