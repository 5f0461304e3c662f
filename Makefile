# What a contributor does. `make help` prints this table.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: help demo test unit check reference bench lock clean

help: ## this table
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The interpreter environment, from the hash-locked list. --no-build-isolation: the build backend
# is itself one of the locked packages.
$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

unit: $(VENV)/.ready ## the unit tests alone (seconds)
	$(BIN)/pytest tests/unit $(PYTEST_ARGS)

test: $(VENV)/.ready ## every test, against real parts
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(VENV)/.ready ## ruff, mypy, import contracts, drift of the generated reference
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m edge_contract.reference docs --check

reference: $(VENV)/.ready ## write the generated reference in docs/ anew
	$(BIN)/python -m edge_contract.reference docs

lock: $(VENV)/.ready ## compile requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK_ARGS) -o requirements/dev.txt

LOCK_ARGS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --quiet --upgrade

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
