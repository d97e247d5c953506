# Two commands to remember: `make demo` shows the gateway at work, `make test` runs everything.
# Each target that says what it does after two hash signs is listed by `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test build bless lint format bench fuzz soak deps deps-build deps-demo deps-test deps-bench deps-detect
MAKEFLAGS += --no-print-directory

# Only these suites or tests: make test FILTER=Postgres
FILTER ?=
filter = $(if $(FILTER),--filter '$(FILTER)')

swift_sources = Package.swift Sources protocols Tests
shell_sources = .ci/run $(wildcard scripts/*.sh Benchmarks/*/*.sh Tests/clients/*.sh)
python_sources = $(wildcard Benchmarks/*/*.py Tests/clients/*.py Tests/clients/*/*.py)

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## a gateway before a real PostgreSQL: passes, masks, denies, asks; stays up until Ctrl-C
	@scripts/demo.sh

test: deps-test build  ## all tests (FILTER=regex: some of them)
	@scripts/test.sh $(filter)

build: deps-build  ## the release binary, .build/release/sallyport, and the tests
	@scripts/build.sh

bless: deps-test build  ## record the golden diagnostics anew (transcripts are written by hand); read the diff
	@SALLYPORT_BLESS=1 scripts/test.sh $(filter)

lint:  ## layout and rules of the Swift code; syntax of shell and Python
	@swift format lint --strict --recursive --parallel $(swift_sources)
	@for file in $(shell_sources); do bash -n "$$file"; done
	@for file in $(python_sources); do python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$$file"; done
	@echo "lint: nothing found"

format:  ## lay the Swift code out
	@swift format format --in-place --recursive --parallel $(swift_sources)

bench: deps-bench deps-detect build  ## speed beside PgBouncer and HAProxy, detectors; bars into BENCHMARKS.md
	@Benchmarks/pg/bench.sh
	@Benchmarks/detect/bench.sh

SAMPLES ?= 200000
fuzz: deps-test build  ## the one-byte-change laws with a bigger sample (SAMPLES=200000); no fuzzer yet
	@echo "fuzz: the libFuzzer package, Fuzz/, comes with a later issue; this runs the laws with $(SAMPLES) samples"
	@SALLYPORT_LAW_SAMPLES=$(SAMPLES) scripts/test.sh --filter '$(or $(FILTER),Laws)'

# Built with the run-time checks that Package.swift leaves out otherwise.
soak: export SALLYPORT_CHECKED = 1
soak: deps-test build  ## the same laws with ten times that, messages of 900 MiB, 200 kills, a million records, long proofs; crowds are not there yet
	@echo "soak: thousands of connections come with later issues; this runs streams, kills, and the laws with $(SAMPLES)0 samples"
	@SALLYPORT_LAW_SAMPLES=$(SAMPLES)0 SALLYPORT_STREAM_MIB=900 SALLYPORT_KILLS=200 SALLYPORT_SESSION_RECORDS=1000000 \
	  SALLYPORT_PROOF_STATEMENTS=20000 TEST_TIMEOUT=7200 \
	  scripts/test.sh --filter '$(or $(FILTER),Laws|Stream|Kill|MaskProof|SessionIndex)'

deps:  ## Debian packages and Python for all of the above; only what is missing
	@scripts/deps.sh all
deps-build: ; @scripts/deps.sh build
deps-demo: ; @scripts/deps.sh demo
deps-test: ; @scripts/deps.sh test
deps-bench: ; @scripts/deps.sh bench
deps-detect: ; @scripts/deps.sh detect
