#!/usr/bin/env bash
# Runs every fuzz target for SECONDS (default 60). Needs a stable toolchain and a C++ compiler, nothing else:
# the coverage instrumentation is a pass of LLVM, and the codecs forbid unsafe code, so an address sanitizer has nothing to find.
#   tests/fuzz.sh [SECONDS] [TARGET]...
set -euo pipefail
cd "$(dirname "$0")/fuzz"
seconds=${1:-60}
shift || true
triple=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --target "$triple" --quiet
bin=${CARGO_TARGET_DIR:-target}/$triple/release
[ $# -gt 0 ] || set -- $(sed -n 's/^path = "targets\/\(.*\)\.rs"/\1/p' Cargo.toml)

failed=0
for target in "$@"; do
  corpus=corpus/$target
  mkdir -p "$corpus" artifacts
  seeds=$(ls -d "seeds/$target" 2>/dev/null || true)
  # shellcheck disable=SC2086 # no seeds is no argument
  if "$bin/$target" -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=2048 -timeout=10 \
      -dict=http.dict -artifact_prefix="artifacts/$target-" "$corpus" $seeds >"artifacts/$target.log" 2>&1; then
    echo "fuzz $target: no finding in ${seconds}s, $(grep -oE '^#[0-9]+' "artifacts/$target.log" | tail -1 | tr -d '#') inputs"
  else
    failed=$((failed + 1))
    echo "fuzz $target: FINDING, see tests/fuzz/artifacts/$target.log"
    tail -n 30 "artifacts/$target.log"
  fi
done
[ "$failed" -eq 0 ]
