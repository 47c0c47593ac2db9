# Everything a person or a continuous integration run does with a checkout. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev native demo test test-native timings lint fuzz miri bench schemas vectors lock clean

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
PIP_COMPILE := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header \
    --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
TEST_WORKERS ?= 2
# Not simply $(SECONDS): bash has a variable of that name, and some export it.
FUZZ_SECONDS := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),10)
NATIVE := zkcore/native
CARGO_PATH = $(or $(shell tools/find-cargo),$(error see above))
NATIVE_SOURCES := $(wildcard $(NATIVE)/*.toml $(NATIVE)/*.rs $(NATIVE)/Cargo.lock) $(shell find $(NATIVE)/src -type f)

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.project $(VENV)/.native ## Make .venv with everything needed to run (installs missing system packages when root)

setup-dev: setup $(VENV)/.development ## The same, and what the checks need

native: export TRADEVEIL_REQUIRE_NATIVE := 1
native: setup ## Build the native engine; an error where there is no Rust (setup and all others go on without it)

demo: setup ## Play the whole story on this machine: four kinds of users, one service that sees no amount
	@$(BIN)/tradeveil demo

test: lint ## All checks: lint, format, types, import contracts, tests
	$(BIN)/python -m pytest -n $(TEST_WORKERS)

timings: ## Look long for secrets in the native engine's times (some minutes; best on an idle machine)
	cd $(NATIVE) && TRADEVEIL_TIMINGS=30 "$(CARGO_PATH)" test --quiet --locked --release --test constant_time -- --nocapture

test-native: ## The checks of the native engine's crate: format, clippy, tests, and that a leak is seen where one was made
	cd $(NATIVE) && "$(CARGO_PATH)" fmt --check
	cd $(NATIVE) && "$(CARGO_PATH)" clippy --quiet --locked --all-targets --features python -- -D warnings
	cd $(NATIVE) && "$(CARGO_PATH)" test --quiet --locked --profile checked
	cd $(NATIVE) && "$(CARGO_PATH)" test --quiet --locked --profile checked --features leaky --test constant_time

fuzz: ## Every fuzz target of the native engine, SECONDS=10 each (needs nightly Rust and cargo-fuzz)
	@tools/fuzz-native $(FUZZ_SECONDS)

miri: ## The native engine's portable path under Miri (needs nightly Rust with Miri)
	cd $(NATIVE) && MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked --lib

lint: setup-dev ## The checks that run no test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure proving, verifying, sizes
	$(BIN)/python -m benchmarks

schemas: setup-dev ## Write the JSON Schemas and the OpenAPI description anew
	$(BIN)/python -m tradeveil.describe

vectors: setup-dev ## Write the test vectors anew
	$(BIN)/python -m schemas.vectors.generate

lock: setup-dev ## Resolve the requirements anew and write the locks
	$(PIP_COMPILE) --output-file requirements.lock requirements.in
	$(PIP_COMPILE) --constraint requirements.lock --output-file requirements-build.lock requirements-build.in
	$(PIP_COMPILE) --constraint requirements.lock --constraint requirements-build.lock \
	    --output-file requirements-dev.lock requirements-dev.in

clean: ## Remove what the other targets made
	rm -rf $(NATIVE)/target $(NATIVE)/fuzz/target $(NATIVE)/fuzz/artifacts benchmarks/peers/target
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tools come first and by hash, and isolation is off, so that petlib is compiled by exactly what the lock names.
# Locks are complete, so nothing is resolved anew (--no-deps): pip would look for extras of a locked package at its newest release.
# A changed lock starts the environment afresh: nothing stays in it that no lock names. petlib's source archive also carries a
# library that somebody else compiled, beside the one compiled here; it is removed, so that it can never be the one loaded.
$(VENV)/.requirements: requirements-build.lock requirements.lock
	@python="$$(tools/find-python)"; echo "making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV)
	@$(PIP_INSTALL) --require-hashes --no-deps --requirement requirements-build.lock
	@$(PIP_INSTALL) --require-hashes --no-deps --no-build-isolation --requirement requirements.lock
	@rm -f $(VENV)/lib/python3*/site-packages/petlib/_petlib.so
	@touch $@

$(VENV)/.project: $(VENV)/.requirements pyproject.toml requirements.in
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# Also what happens when there is no Rust toolchain: a line that says so, no stamp, and no error.
$(VENV)/.native: $(VENV)/.requirements tools/build-native $(NATIVE_SOURCES)
	@tools/build-native $(VENV)

$(VENV)/.development: $(VENV)/.project requirements-dev.lock
	@$(PIP_INSTALL) --require-hashes --no-deps --requirement requirements-dev.lock
	@touch $@
