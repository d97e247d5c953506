#!/usr/bin/env bash
# Runs the test bundle that scripts/build.sh built; the last line is the run's own closing line.
#
#   scripts/test.sh [--filter REGEX]
#
# What the suites find in their environment:
#   SALLYPORT_TEST_ROOT     the checkout
#   SALLYPORT_TEST_BINARY   the gateway's release binary
#   SALLYPORT_TEST_PG_BIN   the folder of PostgreSQL's programs
#   SALLYPORT_TEST_CLUSTER  scripts/pg-cluster.sh, which starts and stops a throw-away PostgreSQL
#   SALLYPORT_TEST_PYTHON   a Python with what Tests/clients/requirements.txt lists
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export SALLYPORT_TEST_ROOT=$PWD
export SALLYPORT_TEST_BINARY=${SALLYPORT_TEST_BINARY:-$PWD/.build/release/sallyport}
export SALLYPORT_TEST_PG_BIN=${SALLYPORT_TEST_PG_BIN:-/usr/lib/postgresql/15/bin}
export SALLYPORT_TEST_CLUSTER=$PWD/scripts/pg-cluster.sh
export SALLYPORT_TEST_PYTHON=${SALLYPORT_TEST_PYTHON:-$PWD/.deps/venv/bin/python}
# What the person who runs the tests has set for psql must not change what they see.
unset "${!PG@}"

log=.build/sallyport-test.log
status=0
timeout --foreground "${TEST_TIMEOUT:-1800}" \
  swift test -c release -Xswiftc -enable-testing --skip-build --disable-xctest "$@" >"$log" 2>&1 || status=$?
tr '\r' '\n' <"$log" >"$log.lines"
closing=$(grep -E 'Test run with [0-9]+ tests?' "$log.lines" | tail -n 1 || true)

if ((status != 0)) || [[ -z $closing ]]; then
  # Failures first; passed and started lines are noise then.
  grep -vE '^[^ ]+ +(Test|Suite) .*(started|passed)' "$log.lines" | tail -n 120
fi
echo "seconds per suite:"
sed -nE 's/^[^ ]+ +Suite (.+) (passed|failed) after ([0-9.]+) seconds.*/\3 \1 \2/p' "$log.lines" | sort -rn |
  awk '{ seconds = $1; state = $NF; $1 = ""; $NF = ""; printf "%9.2f %s%s\n", seconds, $0, state == "failed" ? "FAILED" : "" }'
if ((status == 124)); then
  echo "test: no end after ${TEST_TIMEOUT:-1800} s; the whole of it is in $log" >&2
elif [[ -z $closing ]]; then
  echo "test: the run ended without its closing line (status $status); the whole of it is in $log" >&2
  exit 1
elif [[ $closing =~ with\ 0\ tests ]]; then
  echo "test: no test matches $*" >&2
  exit 1
fi
[[ -z $closing ]] || printf '%s\n' "$closing"
exit "$status"
