# Malla's verbs. `make` lists them; each can be repeated, and does nothing that is already done.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin

# The first Python 3.11 among the usual names; make setup PYTHON=/path/to/python3.11 names another one.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: help setup build demo testnet test lint types format gas bench chaos attacks simulate slither invariants prove coverage mutate calibrate bench-verification lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into this clone: .venv, node_modules, the compiler
	@test -n "$(PYTHON)" || { echo "setup: no Python 3.11 was found: install it, or name it by PYTHON=..." >&2; exit 1; }
	@$(PYTHON) tools/setup.py

build: setup ## Compile the contracts and export their ABIs
	@$(BIN)/python scripts/build.py

demo: build ## Run the market once, with a cheat in it; PROMPT="..." asks your own question
	@$(BIN)/python -m scripts.demo $(if $(PROMPT),--prompt "$$PROMPT")

testnet: build ## Start a local network and keep it up (malla testnet status, logs, down, reset)
	@$(BIN)/malla testnet up

test: build ## Run all tests; ONLY=unit, forge, brownie or e2e runs one part
	@$(BIN)/python scripts/test.py $(if $(ONLY),--only $(ONLY))

lint: setup ## Check the style of Python and Solidity
	@$(BIN)/ruff check .
	@$(BIN)/forge fmt --check contracts tests/invariants tests/symbolic
	@PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/solhint --noPoster --max-warnings 0 'contracts/**/*.sol'

types: setup ## Check the types of Python
	@$(BIN)/mypy

format: setup ## Bring Python and Solidity into the agreed style
	@$(BIN)/ruff check --fix .
	@$(BIN)/forge fmt contracts tests/invariants tests/symbolic

gas: build ## Measure the gas of each on-chain step
	@$(BIN)/python -m benchmarks.gas

bench: build ## Measure what the documents claim
	@$(BIN)/python -m benchmarks

chaos: build ## Kill, restart and cut off parts of a running network (part of test as well)
	@$(BIN)/python -m pytest -q tests/e2e/test_chaos.py

attacks: setup ## Run each attack on our contracts and on a copy without the defence
	@$(BIN)/python -m pytest -q tests/attacks

simulate: build ## Agents against the market: does any strategy earn more than honest work? (two minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.simulation

# Left out, for all contracts: uninitialized-local (a counter or a struct in memory begins at zero, which the language
# promises) and incorrect-equality (what is compared are enums, flags, epochs and amounts that we count ourselves, never a
# balance that somebody can send to). Every other suppression stands at its place with its reason.
slither: setup ## Look for known mistakes in the contracts: no high and no medium finding
	@mkdir -p var/slither
	@FOUNDRY_OUT=var/slither/out FOUNDRY_CACHE_PATH=var/slither/cache PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/slither . --filter-paths 'node_modules|tests/|contracts/mocks' --exclude-low \
		--exclude uninitialized-local,incorrect-equality --exclude-informational --exclude-optimization --fail-medium

invariants: setup ## Play a million random moves against the contracts, with every ledger checked after each
	@$(BIN)/python tools/invariants.py

prove: setup ## Prove arithmetic and state properties for all inputs (Halmos)
	@$(BIN)/python tools/prove.py

coverage: setup ## Fail unless the Forge tests reach every line and branch of the contracts
	@$(BIN)/python tools/coverage.py

mutate: setup ## Break the contracts in small ways and see whether the tests notice; MORE="--sample 50"
	@$(BIN)/python tools/mutate.py $(MORE)

bench-verification: build ## Run honest and dishonest providers against the verification (an hour and a half)
	@test -d .tools/toploc || .tools/bin/uv pip install --python $(BIN)/python --target .tools/toploc --quiet --no-deps \
		--no-build-isolation --no-binary toploc toploc==0.1.6 || echo "TOPLOC cannot be built here: its columns stay empty"
	@$(BIN)/python -m benchmarks.verification.collect
	@$(BIN)/python -m benchmarks.verification.noise
	@$(BIN)/python -m benchmarks.verification.score

calibrate: build ## Make a model's calibration profile from honest sequences
	@$(BIN)/malla oracle calibrate SmolLM2-135M-Instruct

lock: setup ## Resolve pyproject.toml again into requirements.lock: hashes, no registry's name
	@.tools/bin/uv pip compile pyproject.toml --extra dev --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --quiet -o requirements.lock

clean: ## Remove what compilers and tests made; keeps .venv, node_modules and networks
	@rm -rf build out cache_forge var/test var/slither .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -not -path './node_modules/*' \
		-prune -exec rm -rf {} +
