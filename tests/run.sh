#!/usr/bin/env bash
# Checks the whole workspace: installs what is missing, then formatting, lints, documentation, every test, the real
# servers, the support table and a short run of the fuzz targets. The last line is the total.
#
#   tests/run.sh                     everything
#   tests/run.sh --quick             without the fuzz targets
#   UPDATE_SUPPORTED=1 tests/run.sh  writes docs/SUPPORTED.md instead of comparing it
#   FUZZ_SECONDS=60 tests/run.sh     how long each fuzz target runs (default 5)
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    *) echo "tests/run.sh: unknown argument $argument" >&2; exit 2 ;;
  esac
done

passed=0
failed=0
began=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT

section() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - began)); }
pass() { passed=$((passed + $1)); }
fail() { failed=$((failed + $1)); }

# One step that passes or fails as a whole.
step() {
  local name=$1 start=$SECONDS
  shift
  section "$name"
  if "$@"; then pass 1; echo "$name: ok, $((SECONDS - start)) s"; else fail 1; echo "$name: FAILED"; fi
}

# Each crate on its own: built together, one crate's features would hide what another lacks.
without_features() {
  local crate
  for crate in gateway-spec gateway-cgi gateway-fastcgi gateway-server gateway-examples; do
    cargo clippy -p "$crate" --lib --no-default-features -- -D warnings || return 1
  done
}

# A step whose tests are counted: nextest's summary and libtest's result lines say how many passed and failed.
count_tests() {
  local name=$1 start=$SECONDS status=0 good bad
  shift
  section "$name"
  "$@" 2>&1 | tee "$log" || status=1
  read -r good bad < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
    /^ *Summary \[/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^(failed|timed)/) f += $(i - 1) } }
    /^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) } }
    END { print p + 0, f + 0 }')
  # Nothing ran, or the runner itself failed (a build error, say): that is a failure too.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((good + bad)) -eq 0 ]; then bad=$((bad + 1)); fi
  pass "$good"
  fail "$bad"
  echo "$name: $good passed, $bad failed, $((SECONDS - start)) s"
}

# --------------------------------------------------------------------------------------------------- what is missing

packages=()
need() { # need PACKAGE FILE…: the package, unless one of the files is there
  local package=$1 file
  shift
  for file in "$@"; do
    # The argument may be a pattern; a missing file leaves it as it is.
    for match in $file; do [ -e "$match" ] && return; done
  done
  packages+=("$package")
}

install_packages() {
  local ours=no status=0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing; install these (names of Debian 12): ${packages[*]}" >&2
    return 1
  fi
  # No service may start itself: the tests run every server themselves, on ports of their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  # The package of DokuWiki would set up a web server.
  echo 'dokuwiki dokuwiki/system/configure-webserver multiselect' | debconf-set-selections || true
  { apt-get -o DPkg::Lock::Timeout=600 update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${packages[@]}"; } || status=1
  if [ "$ours" = yes ]; then rm -f /usr/sbin/policy-rc.d; fi
  return "$status"
}

install_missing() {
  need nginx /usr/sbin/nginx
  need apache2 /usr/sbin/apache2
  need libapache2-mod-fcgid /usr/lib/apache2/modules/mod_fcgid.so
  need lighttpd /usr/sbin/lighttpd
  need fcgiwrap /usr/sbin/fcgiwrap
  need haproxy /usr/sbin/haproxy
  need caddy /usr/bin/caddy
  need php-fpm '/usr/sbin/php-fpm[0-9]*'
  need perl /usr/bin/perl
  need python3 /usr/bin/python3
  need systemd /usr/bin/systemd-analyze # reads the units of docs/deploy/systemd.md
  need python3-prometheus-client /usr/lib/python3/dist-packages/prometheus_client # reads what we tell it
  # Programs that the tests run as CGI programs; gitweb comes with git.
  need git /usr/lib/git-core/git-http-backend
  need git /usr/share/gitweb/gitweb.cgi
  need php-cgi /usr/bin/php-cgi
  need dokuwiki /usr/share/dokuwiki/doku.php # a real PHP application, with the modules that it needs
  need libcgi-pm-perl /usr/share/perl5/CGI.pm
  # FastCGI workers that are not ours.
  need libfcgi-dev /usr/include/fcgiapp.h
  need libfcgi-perl '/usr/lib/*/perl5/*/FCGI.pm'
  need ruby-fcgi /usr/lib/ruby/vendor_ruby/fcgi.rb
  # HTTP servers that are not ours, behind the proxy mount.
  need gunicorn /usr/bin/gunicorn
  need uvicorn /usr/bin/uvicorn
  need python3-websockets '/usr/lib/python3/dist-packages/websockets/__init__.py'
  need python3-hypercorn /usr/bin/hypercorn
  need daphne /usr/bin/daphne
  need nodejs /usr/bin/node
  need tomcat10-common /usr/share/tomcat10/bin/catalina.sh # with Java; not tomcat10, which is a service
  # Clients that people use.
  need curl /usr/bin/curl
  need nghttp2-client /usr/bin/h2load
  need wrk /usr/bin/wrk
  need apache2-utils /usr/bin/ab
  need chromium /usr/bin/chromium
  need openssl /usr/bin/openssl # makes their server's certificate
  need golang-go /usr/bin/go # its net/http gets the same requests as our listener
  need valgrind /usr/bin/valgrind # counts the instructions of a request
  need g++ /usr/bin/c++ # for the fuzz targets, and cc for SQLite
  if [ ${#packages[@]} -gt 0 ]; then
    echo "installing: ${packages[*]}"
    install_packages
  fi
  if ! command -v cargo >/dev/null; then
    echo "missing: cargo; see https://rustup.rs" >&2
    return 1
  fi
  for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
  done
  cargo --version
}

section "install what is missing"
if ! install_missing; then
  echo "nothing was checked"
  echo "0 passed, 1 failed"
  exit 1
fi

# ------------------------------------------------------------------------------------------------------------- checks

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
build_folder=${CARGO_TARGET_DIR:-target}/debug
rm -rf "$build_folder/support-table"

step "formatting" cargo fmt --all --check
# All programs and tests in one profile: what they share is compiled once.
step "build" cargo build --workspace --bins
export GATEWAY_TESTS_BUILT=1

if cargo nextest --version >/dev/null 2>&1; then
  count_tests "tests, with the real servers" \
    cargo nextest run --workspace --no-fail-fast --config-file tests/nextest.toml --show-progress none --status-level all
else
  count_tests "tests, with the real servers" cargo test --workspace --no-fail-fast --lib --bins --tests
fi
step "support table" "$build_folder/supported"
count_tests "documentation examples" cargo test --workspace --doc

# Each case once, with what it checks; nothing is measured.
step "micro-benchmarks" cargo test --quiet --workspace --bench micro

# What one request costs, in instructions; five percent more is a failure.
step "instructions of a request" tests/request_cost.sh

step "clippy" cargo clippy --workspace --all-targets --all-features -- -D warnings
step "clippy without features" without_features
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --quiet

if [ "$quick" = no ] && [ -e tests/fuzz.sh ]; then
  step "fuzz targets" bash tests/fuzz.sh "${FUZZ_SECONDS:-5}"
fi

section "end"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
