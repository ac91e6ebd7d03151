#!/bin/sh
# Runs the tour of README.md as it stands there: every fenced block marked `sh tour`, in order and in one shell, against
# a server of its own with a fresh data folder.
#
#   STOA_BIN=path/to/stoa scripts/tour.sh
#
# Fails when a command fails, or when a call answers another status than the one noted behind it (`# 201`). Settings in
# the environment reach the server, DATABASE_URL for one. Needs what the tour needs: curl, sed and a POSIX shell.
set -eu

fail() {
  echo "tour: $*" >&2
  exit 1
}

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(command -v "${STOA_BIN:?give the binary to tour as STOA_BIN}") || fail "there is no binary $STOA_BIN"
bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin")
curl=$(command -v curl) || fail "curl is missing"
# A name that the binary does not know would stop it.
unset STOA_BIN

work=$(mktemp -d)
server=
finish() {
  code=$?
  trap - EXIT
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What the reader's shell finds under these names. This curl also keeps the status of each answer.
mkdir "$work/bin"
ln -s "$bin" "$work/bin/stoa"
cat > "$work/bin/curl" <<WRAPPER
#!/bin/sh
code=0
"$curl" -D "$work/headers" "\$@" || code=\$?
sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$work/headers" | tail -n 1 >> "$work/answered"
exit \$code
WRAPPER
chmod +x "$work/bin/curl"

# The tour, and the statuses it promises.
sed -n '/^```sh tour$/,/^```$/{/^```/!p;}' "$root/README.md" > "$work/tour"
sed -n 's/.*# \([0-9][0-9][0-9]\)$/\1/p' "$work/tour" > "$work/promised"
[ -s "$work/promised" ] || fail "README.md has no block marked 'sh tour'"
: > "$work/answered"

cd "$work"
export STOA_DATA_DIR="$work/data" STOA_HOST=127.0.0.1 STOA_PORT=0
"$bin" serve > "$work/log" 2>&1 &
server=$!

# The server takes a free port and names it in its log.
tries=0
address=
while [ -z "$address" ]; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; fail "the server did not start"; }
  tries=$((tries + 1))
  [ "$tries" -le 300 ] || { cat "$work/log" >&2; fail "the server does not say where it listens"; }
  sleep 0.1
  address=$(sed -n 's/.*\(127\.0\.0\.1:[1-9][0-9]*\).*/\1/p' "$work/log" | head -n 1)
done

code=0
STOA="http://$address" PATH="$work/bin:$PATH" sh -eu "$work/tour" || code=$?
echo
if [ "$code" -ne 0 ] || ! cmp -s "$work/promised" "$work/answered"; then
  echo "tour: promised: $(tr '\n' ' ' < "$work/promised")" >&2
  echo "tour: answered: $(tr '\n' ' ' < "$work/answered")" >&2
  cat "$work/log" >&2
  fail "the tour of README.md does not run as promised"
fi
echo "tour: $(wc -l < "$work/answered" | tr -d ' ') calls answered as promised"
