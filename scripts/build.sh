#!/usr/bin/env bash
# Builds the gateway and the tests in the one configuration there is (release, testable), telling how long it takes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v swift >/dev/null || { echo 'build: no "swift" in PATH; Swift 6.2 or later is at https://swift.org/install' >&2; exit 1; }

log=.build/sallyport-build.log
started=$SECONDS
child=
elapsed() { printf '%dm%02ds' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }
trap '[[ -z $child ]] || kill "$child" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

if [[ -x .build/release/sallyport ]]; then
  echo "build: release build, what has changed (a change near the top: about half a minute)"
else
  echo "build: first release build, with its libraries: 7 to 18 minutes on 2 cores, less on more"
fi
mkdir -p .build
# shellcheck disable=SC2086  # SWIFT_BUILD_FLAGS is a list of words
swift build -c release -Xswiftc -enable-testing --build-tests ${SWIFT_BUILD_FLAGS:-} >"$log" 2>&1 &
child=$!

# On a terminal one line that keeps changing; elsewhere (a CI log) a line every 20 seconds.
last_line() { tr '\r' '\n' <"$log" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-70; }
next_beat=$((SECONDS + 20))
while kill -0 "$child" 2>/dev/null; do
  sleep 0.5
  if [[ -t 1 ]]; then
    printf '\r\033[Kbuild: %s  %s' "$(elapsed)" "$(last_line || true)"
  elif ((SECONDS >= next_beat)); then
    next_beat=$((SECONDS + 20))
    printf 'build: %s  %s\n' "$(elapsed)" "$(last_line || true)"
  fi
done
[[ -t 1 ]] && printf '\r\033[K'

status=0
wait "$child" || status=$?
child=
if ((status != 0)); then
  grep -E '(^|[ :])error:' -A 4 "$log" | head -n 60 >&2 || true
  tail -n 15 "$log" >&2
  echo "build: failed after $(elapsed); the whole of it is in $log" >&2
  exit "$status"
fi
grep -E ' warning: ' "$log" | sort -u | head -n 20 || true
echo "build: done in $(elapsed): .build/release/sallyport"
