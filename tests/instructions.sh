#!/usr/bin/env bash
# Compares two revisions by instructions: each case of tests/benches is run at both, and what the processor did is counted.
#
#   tests/instructions.sh OLD [NEW]     revisions; NEW is the working tree unless it is named
#     --only TEXT                       only the cases whose name holds TEXT
#     --fail-above PERCENT              exit code 1 when a case needs more instructions than that allows
#     --times N                         each case runs N and 2 N times (default 1000); the difference, divided by N, is told
#
# The cases are NEW's at both revisions, unless they do not compile at OLD: then OLD is asked with its own. Both are built
# with the same profile, each with its own Cargo.lock. Instructions are not time: they know no cache, no branch and no
# waiting, and a large block that is copied by `rep movsb` counts byte by byte. But two runs agree to a thousandth,
# whatever else the machine does, so a change of one percent is a fact.
set -euo pipefail
cd "$(dirname "$0")/.."

# ----------------------------------------------------------------------------------------------------------- arguments

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; }
refuse() { echo "tests/instructions.sh: $1" >&2; exit 2; }

revisions=()
only=
allowed=
times=1000
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --only | --fail-above | --times)
      [ $# -ge 2 ] || refuse "$1 needs a value"
      case $1 in
        --only) only=$2 ;;
        --fail-above) allowed=$2 ;;
        --times) times=$2 ;;
      esac
      shift
      ;;
    -*) refuse "unknown argument $1" ;;
    *) revisions+=("$1") ;;
  esac
  shift
done
[ ${#revisions[@]} -ge 1 ] && [ ${#revisions[@]} -le 2 ] || { usage >&2; exit 2; }
[[ $times =~ ^[1-9][0-9]*$ ]] || refuse "--times is a whole number"
[[ -z $allowed || $allowed =~ ^[0-9]+(\.[0-9]+)?$ ]] || refuse "--fail-above is a number of percent"

if ! command -v valgrind >/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing: valgrind"
    apt-get -o DPkg::Lock::Timeout=600 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends valgrind
  else
    refuse "valgrind is missing; install the package of that name"
  fi
fi

# --------------------------------------------------------------------------------------------------------------- trees

root=$PWD
mkdir -p "${CARGO_TARGET_DIR:-target}/instructions"
folder=$(cd "${CARGO_TARGET_DIR:-target}/instructions" && pwd)
exec 9>"$folder/lock"
flock -n 9 || refuse "another comparison runs in $folder"
work=$(mktemp -d)
trees=()
trap 'rm -rf "$work" ${trees[@]+"${trees[@]}"}' EXIT

# The name of a tree: its commit. A tree of one commit always lies in the same place and has the times of the commit, so
# what was built of it before need not be built again.
name_of() {
  if [ -z "$1" ]; then echo working-tree; else git rev-parse --verify --quiet "$1^{commit}" || refuse "no revision $1"; fi
}

lay_out() { # sets `tree`
  if [ "$1" = working-tree ]; then tree=$root; return; fi
  tree=$folder/tree-$1
  trees+=("$tree")
  rm -rf "$tree"
  mkdir "$tree"
  git archive "$1" | tar -x -C "$tree"
}

# A package of its own, so that a revision needs to know nothing of the cases, and no more is built than they use.
build() { # build NAME TREE CASES PROGRAM
  local package=$folder/package-$1 status=0
  mkdir -p "$package"
  cp "$2/Cargo.lock" "$package/Cargo.lock"
  cat >"$package/Cargo.toml" <<MANIFEST
[package]
name = "count"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "count-$1"
path = "$3/tests/benches/count.rs"

[dependencies]
bytes = "1"
gateway-cgi = { path = "$2/gateway-cgi" }
gateway-fastcgi = { path = "$2/gateway-fastcgi" }
gateway-server = { path = "$2/gateway-server", default-features = false }
gateway-spec = { path = "$2/gateway-spec" }

[workspace]

[profile.release]
lto = "fat"
codegen-units = 1
debug = "line-tables-only"
MANIFEST
  cargo build --quiet --release --manifest-path "$package/Cargo.toml" --target-dir "$folder/build" || status=1
  rm -rf "$package"
  [ "$status" -eq 0 ] || return 1
  # Both run under names of one length: the length of a path moves the stack.
  mkdir -p "$work/$4"
  cp "$folder/build/release/count-$1" "$work/$4/count"
}

old=$(name_of "${revisions[0]}")
new=$(name_of "${revisions[1]:-}")
lay_out "$old"; old_tree=$tree
lay_out "$new"; new_tree=$tree
# A revision older than the cases is asked with today's.
cases=$new_tree
[ -e "$cases/tests/benches/count.rs" ] || cases=$root

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
echo "building new: ${revisions[1]:-the working tree}"
build "$new" "$new_tree" "$cases" new
echo "building old: ${revisions[0]}, $(git log -1 --format='%h %s' "$old")"
if ! build "$old" "$old_tree" "$cases" old 2>"$work/errors"; then
  if [ "$cases" = "$old_tree" ] || [ ! -e "$old_tree/tests/benches/count.rs" ]; then
    cat "$work/errors" >&2
    refuse "the cases do not compile at ${revisions[0]}, which has none of its own"
  fi
  echo "the cases of the new revision do not compile there: it is asked with its own"
  build "$old" "$old_tree" "$old_tree" old
fi

# ------------------------------------------------------------------------------------------------------------ counting

cd "$work"
for side in new old; do
  "$side/count" | awk -v side="$side" -v only="$only" 'index($0, only) { print side, $0 }'
done >listed
[ -s listed ] || refuse "no case holds $only"

count() { # count SIDE NAME TIMES: a line with what was asked and the number
  local said
  # Nothing of the surroundings gets in: their length would move the stack as well.
  said=$(env -i PATH="$PATH" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1/count" "$2" "$3" 2>&1 >/dev/null) ||
    { printf '%s\n' "$said" >&2; return 255; }
  printf '%s %s %s %s\n' "$1" "$2" "$3" "$(sed -n 's/.*Collected : *//p' <<<"$said")"
}
export -f count
awk -v n="$times" '{ print $0, n; print $0, 2 * n }' listed |
  xargs -P "$(nproc)" -L 1 bash -c 'count "$@"' count >counted

# --------------------------------------------------------------------------------------------------------------- table

awk -v n="$times" -v allowed="$allowed" '
  FILENAME == "counted" { of[$1, $2, $3] = $4; next }
  !($2 in seen) { seen[$2] = 1; name[++names] = $2; if (length($2) > width) width = length($2) }
  function each(side, case_name) {
    if (!((side, case_name, n) in of)) return -1
    return (of[side, case_name, 2 * n] - of[side, case_name, n]) / n
  }
  function shown(number) { return number < 0 ? "-" : sprintf("%.1f", number) }
  END {
    printf "\n%-" width "s %12s %12s %8s\n", "instructions for each", "old", "new", "new/old"
    for (i = 1; i <= names; i++) {
      old = each("old", name[i]); new = each("new", name[i])
      if (old <= 0 || new <= 0) {
        printf "%-" width "s %12s %12s %8s\n", name[i], shown(old), shown(new), "-"
        continue
      }
      ratio = new / old
      mark = ratio > 1.01 ? "  more" : ratio < 0.99 ? "  fewer" : ""
      printf "%-" width "s %12s %12s %8.3f%s\n", name[i], shown(old), shown(new), ratio, mark
      compared++; product += log(ratio)
      if (mark == "  more") more++
      if (mark == "  fewer") fewer++
      if (allowed != "" && ratio > 1 + allowed / 100) failed++
    }
    if (compared) printf "%d compared: %d need more, %d fewer, by over 1 %%; geometric mean %.3f\n", compared, more, fewer, exp(product / compared)
    if (failed) printf "%d need over %s %% more\n", failed, allowed
    exit failed > 0
  }' counted listed
