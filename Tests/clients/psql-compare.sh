#!/usr/bin/env bash
# Runs psql-compare.sql with psql, directly and through the gateway, and compares what psql prints, byte for byte.
#
#   psql-compare.sh DIRECT_DSN GATEWAY_DSN
#
# Both must lead to the same database and the same database user, who may create schemas in it, and no rule of the
# gateway may deny, hold or mask anything there. Standard output and standard error are compared statement by statement.
# One line per difference, then "N compared, M different". Exit code 1 when any differs, 2 when it could not be run.
# Nothing is normalised: what cannot be equal (\conninfo, process ids, times) is not in the file.
set -uo pipefail

[[ $# == 2 ]] || { echo "usage: psql-compare.sh DIRECT_DSN GATEWAY_DSN" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
psql=${SALLYPORT_TEST_PG_BIN:-/usr/lib/postgresql/15/bin}/psql
[[ -x $psql ]] || { echo "psql-compare: no $psql" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Marks in both streams say which statement what follows belongs to.
sed 's/^-- @ \(.*\)$/\\echo @@ \1\n\\warn @@ \1/' "$here/psql-compare.sql" >"$work/script.sql"

# The first lines that differ, on one line.
what_differs() { diff -a "$1" "$2" 2>&1 | grep -a '^[<>d]' | head -n 2 | cut -c 1-140 | tr '\n' ' '; }

# Splits a stream at its marks: one file for each statement, named by its number.
split() { awk -v into="$2" 'BEGIN { file = into "/000" } /^@@ / { file = sprintf("%s/%03d", into, ++n) } { print > file }' "$1"; }

run() {
  local side=$1 dsn=$2
  mkdir "$work/$side" "$work/$side/out" "$work/$side/err"
  (cd "$work" && PGAPPNAME=psql timeout 120 "$psql" -X -a -P pager=off -d "$dsn" -f script.sql) \
    >"$work/$side.out" 2>"$work/$side.err" </dev/null
  local status=$?
  echo "status $status" >>"$work/$side.err"
  split "$work/$side.out" "$work/$side/out"
  split "$work/$side.err" "$work/$side/err"
  return "$status"
}

run direct "$1" || { tail -n 3 "$work/direct.err" >&2; echo "psql-compare: the direct run failed" >&2; exit 2; }
run gateway "$2"

compared=0 different=0
while read -r name; do
  compared=$((compared + 1))
  number=$(printf '%03d' "$compared")
  for stream in out err; do
    cmp -s "$work/direct/$stream/$number" "$work/gateway/$stream/$number" && continue
    different=$((different + 1))
    echo "different: $name ($stream): $(what_differs "$work/direct/$stream/$number" "$work/gateway/$stream/$number")"
    break
  done
done < <(sed -n 's/^-- @ //p' "$here/psql-compare.sql")
# Also what came before the first mark (a failure to connect).
if ! cmp -s "$work/direct.out" "$work/gateway.out" || ! cmp -s "$work/direct.err" "$work/gateway.err"; then
  if ((different == 0)); then
    different=1
    echo "different: outside the statements: $(what_differs "$work/direct.err" "$work/gateway.err")"
  fi
fi
echo "$compared compared, $different different"
((different == 0))
