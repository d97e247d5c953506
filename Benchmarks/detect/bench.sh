#!/usr/bin/env bash
# Second part of `make bench`: the detectors beside a plain Vectorscan pass and Microsoft Presidio's pattern recognisers.
#
#   Benchmarks/detect/bench.sh        DETECT_ROUNDS=5 for more rounds
#
# Compiles the detectors as they are built for release, makes the corpus (fixtures/detect) and the rows, measures in turn and
# writes the section into BENCHMARKS.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly here=Benchmarks/detect python=.deps/presidio/bin/python
[[ -x $python ]] || { echo "bench: no $python: scripts/deps.sh detect" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/modules"
printf 'module CByteScan { header "%s" export * }\n' "$PWD/Sources/CByteScan/include/CByteScan.h" >"$work/modules/module.modulemap"
swiftc -O -wmo -swift-version 6 -enforce-exclusivity=unchecked -I "$work/modules" -I Sources/CPCRE2 \
  Sources/Detection/*.swift "$here/main.swift" -o "$work/detect"
clang -O2 "$here/vectorscan.c" -lhs -o "$work/vectorscan"

python3 -B fixtures/detect/generate.py >"$work/corpus.jsonl"
python3 -B "$here/rows.py" "$work"
"$python" -B "$here/bench.py" --work "$work" --patterns "$here/patterns.txt" --rounds "${DETECT_ROUNDS:-3}"
