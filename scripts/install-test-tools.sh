#!/usr/bin/env bash
# Gets what `make check`, `make test` and `make bench` need beyond Rust, a C compiler and git, and only what is not there yet.
#
#   install-test-tools.sh [check] [suite] [engines] [bench]
#     check     cargo-deny, cargo-machete
#     suite     cargo-nextest; schemathesis, aiosmtpd, localstripe, python-socketio, moto; socket.io-client, ws,
#               playwright-core (they want Node 20); Chromium
#     engines   PostgreSQL, Redis, RabbitMQ, Pebble, clamd
#     bench     what Stoa is compared with: express, socket.io, better-sqlite3 (they want Node 20); left out without Node
#
# Cargo's, Python's and Node's tools go into $STOA_TOOLS, outside the clone. The rest are Debian packages: root gets them
# installed, anybody else is told which are missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tools=${STOA_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/stoa/tools}
mkdir -p "$tools/bin"
export PATH="$tools/bin:$PATH"

say() { printf 'install-test-tools: %s\n' "$*" >&2; }

# at_least WANTED FOUND: whether version FOUND is WANTED or newer.
at_least() { [ -n "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# version_of COMMAND…: the first version number that it prints.
version_of() { { "$@" 2>/dev/null || true; } | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1 || true; }

# cargo_tool NAME OLDEST VERSION [OPTION…]: builds VERSION unless OLDEST or newer is there.
cargo_tool() {
  local name=$1 oldest=$2 version=$3
  shift 3
  at_least "$oldest" "$(version_of "$name" "${name#cargo-}" --version)" && return
  at_least "$oldest" "$(version_of "$name" --version)" && return
  say "building $name $version into $tools (once)"
  CARGO_TARGET_DIR="$tools/build" cargo install --quiet --locked --root "$tools" --version "$version" "$@" "$name"
  rm -rf "$tools/build"
}

packages=()
# package NAME COMMAND…: NAME is missing unless the command succeeds.
package() {
  local name=$1
  shift
  "$@" >/dev/null 2>&1 || packages+=("$name")
}

on_path() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"; }
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' || on_path postgres; }
has_venv() { python3 -c 'import ensurepip, venv'; }

install_packages() {
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "these Debian packages are missing: ${packages[*]}"
    say "install them with: sudo apt-get install ${packages[*]}"
    exit 1
  fi
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# The exact versions of Python's tools and all below them are in test-requirements.txt; another text, another folder.
python_tools() {
  local wanted=$here/test-requirements.txt venv
  venv=$tools/python-$(sha256sum "$wanted" | cut -c1-12)
  if ! "$venv/bin/schemathesis" --version >/dev/null 2>&1; then
    say "installing schemathesis, aiosmtpd, localstripe, python-socketio and moto into $venv (once)"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  fi
  ln -sfn "$venv/bin/schemathesis" "$tools/bin/schemathesis"
  # A Python that knows the modules of the folder; a link to it would not.
  printf '#!/bin/sh\nexec "%s/bin/python" "$@"\n' "$venv" >"$tools/bin/test-python"
  chmod +x "$tools/bin/test-python"
}

has_node() { at_least 20.0.0 "$(version_of node --version)" && on_path npm >/dev/null; }

# node_packages NAME FOLDER [OPTION…]: the packages of FOLDER in $tools/NAME. Their exact versions and all below them are in
# the lock file; another lock file, another folder.
node_packages() {
  local name=$1 wanted=$here/../$2 modules
  shift 2
  modules=$tools/$name-$(sha256sum "$wanted/package-lock.json" | cut -c1-12)
  if [ ! -e "$modules/complete" ]; then
    say "installing the packages of ${wanted#"$here/../"} into $modules (once)"
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$modules"
    # Told by hand: the shell does not end a function whose result is asked for.
    npm ci --prefix "$modules" --silent --no-audit --no-fund "$@" || return 1
    touch "$modules/complete"
  fi
  ln -sfn "$modules" "$tools/$name"
}

test_clients() {
  if ! has_node; then
    say "Node 20 or newer and npm are missing: https://nodejs.org/en/download"
    exit 1
  fi
  node_packages node e2e/clients --ignore-scripts
}

# The script that better-sqlite3 installs itself by gets a built library, or has the C++ compiler build one.
bench_peers() {
  if ! has_node || ! node_packages peers bench/peers; then
    say "Node 20 or newer with npm, or a package, is missing: Stoa is measured without what it is compared with"
    rm -f "$tools/peers"
  fi
}

wants() { [[ " $wanted_parts " == *" $1 "* ]]; }
wanted_parts="$*"

if wants engines; then
  package postgresql has_postgres
  package redis-server on_path redis-server
  package rabbitmq-server on_path rabbitmq-server
  package pebble on_path pebble
  package clamav-daemon on_path clamd
fi
if wants suite; then
  package python3-venv has_venv
  package chromium on_path chromium
fi
install_packages

if wants check; then
  cargo_tool cargo-machete 0.9.2 0.9.2
  cargo_tool cargo-deny 0.20.2 0.20.2 --no-default-features
fi
if wants suite; then
  cargo_tool cargo-nextest 0.9.140 0.9.151 --no-default-features --features default-no-update
  python_tools
  test_clients
fi
if wants bench; then
  bench_peers
fi
