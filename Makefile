# The commands of this project; `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Which engines the tests run on: embedded (SQLite, a folder, in process), cluster (PostgreSQL, S3, Redis), or both.
ENGINES ?= both
ifeq ($(filter $(ENGINES),embedded cluster both),)
$(error ENGINES is embedded, cluster or both, not "$(ENGINES)")
endif

# Tools and build results lie outside the clone, so a second clone starts warm.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/stoa
export STOA_TOOLS ?= $(CACHE)/tools
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(STOA_TOOLS)/bin:$(PATH)

SERVERS := $(if $(filter embedded,$(ENGINES)),,engines)
RUNNER = $(CARGO_TARGET_DIR)/debug/stoa-testing
NEXTEST_PROFILE := $(if $(CI),ci,default)

.PHONY: help run test check suite bench soak

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16
	@echo
	@echo '  ENGINES=embedded|cluster|both with test and soak: what the tests run on (both)'
	@echo '  STOA_SOAK_CASES with soak: how many cases schemathesis sends (100000)'
	@echo '  BENCH with bench: what to measure and how large (--only realtime --messages 10000000; --help)'
	@echo '  CARGO_TARGET_DIR, STOA_TOOLS: where builds and tools go ($(CACHE))'

run: ## Start Stoa with its data in ./data
	cargo run --release -p stoa-server --bin stoa -- serve

test: check suite ## Everything that must hold before a change lands: check, then every test

check: ## Formatting, lints, docs, unused dependencies, licences
	@scripts/install-test-tools.sh check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	cargo machete
	cargo deny check --hide-inclusion-graph licenses bans sources

# The examples in the docs come first, so that the suite's own count is the last word.
suite: ## Only the tests
	@scripts/install-test-tools.sh suite $(SERVERS)
	cargo test --workspace --doc --quiet
	cargo build --quiet -p stoa-testing-engines
	STOA_TEST_SCHEMATHESIS=$(STOA_TOOLS)/bin/schemathesis STOA_TEST_AIOSMTPD=$(STOA_TOOLS)/bin/test-python \
	STOA_TEST_LOCALSTRIPE=$(STOA_TOOLS)/bin/test-python STOA_TEST_PYTHON_SOCKETIO=$(STOA_TOOLS)/bin/test-python \
	STOA_TEST_MOTO=$(STOA_TOOLS)/bin/test-python \
	STOA_TEST_NODE_MODULES=$(STOA_TOOLS)/node/node_modules \
	  $(RUNNER) run --engines $(ENGINES) $(if $(filter embedded,$(ENGINES)),,--s3) -- cargo nextest run --workspace --profile $(NEXTEST_PROFILE)

bench: ## Measure speed; the figures go into docs/performance.md
	@scripts/install-test-tools.sh bench
	cargo build --release -p stoa-server -p stoa-bench
	$(CARGO_TARGET_DIR)/release/stoa-bench --binary $(CARGO_TARGET_DIR)/release/stoa \
	  --peers bench/peers --node-modules $(STOA_TOOLS)/peers/node_modules $(BENCH)

soak: ## Only the tests, those that have a long form in it (STOA_SOAK=1)
	STOA_SOAK=1 $(MAKE) suite
