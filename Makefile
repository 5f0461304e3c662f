# What a contributor does. `make help` prints this table.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# Three processes on two cores, a module's tests together: often real parts are waited for.
PARALLEL ?= -n 3 --dist loadfile
DEMO_ARGS ?=
BENCH_ARGS ?=
CHAOS_ARGS ?=
FUZZ_ARGS ?=
# Frames with their meanings that the project did not write and does not keep.
VECTORS ?= ../shared/vectors

.PHONY: help demo test unit chaos vectors fuzz bench check reference lock clean

help: ## this table
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The interpreter environment, from the hash-locked list. --no-build-isolation: the build backend
# is itself one of the locked packages.
$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready ## a warehouse shift on a real Odoo, with faults, judged at its end (DEMO_ARGS="--exit --seed 7")
	$(BIN)/warehouse-demo $(DEMO_ARGS)

test: $(VENV)/.ready ## every test, against real parts; what they need is installed
	$(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)

unit: $(VENV)/.ready ## the unit tests alone (seconds)
	$(BIN)/pytest tests/unit -n 2 --dist loadfile $(PYTEST_ARGS)

chaos: $(VENV)/.ready ## kill -9 at every await and named place (CHAOS_ARGS="--all"; the short walk without)
	$(BIN)/python -m edge_sandbox.chaos $(CHAOS_ARGS)

vectors: $(VENV)/.ready ## foreign frames through the decoders (VECTORS=folder with scales.json and the like)
	$(BIN)/python -m edge_sandbox.vectors $(VECTORS) tests/vectors

fuzz: $(VENV)/.ready ## bytes nobody meant, through every decoder (FUZZ_ARGS="--inputs 1000000 --seed 7"; at night)
	$(BIN)/python -m edge_sandbox.fuzz $(FUZZ_ARGS)

bench: $(VENV)/.ready ## what it costs, as ratios taken in one run (BENCH_ARGS="--quick --only intake")
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: $(VENV)/.ready ## ruff, mypy, import contracts, drift of the generated reference
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m edge_contract.reference docs --check
	$(BIN)/python -m edge_sandbox.reference docs --check

reference: $(VENV)/.ready ## write the generated reference in docs/ anew
	$(BIN)/python -m edge_contract.reference docs
	$(BIN)/python -m edge_sandbox.reference docs

lock: $(VENV)/.ready ## compile requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK_ARGS) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra agent $(LOCK_ARGS) -c requirements/dev.txt -o requirements/agent.txt
	$(BIN)/uv pip compile pyproject.toml --extra relay $(LOCK_ARGS) -c requirements/dev.txt -o requirements/relay.txt

LOCK_ARGS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --quiet --upgrade

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
