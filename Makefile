# Two commands: `make serve` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help serve test test-faults lint bench bench-load bench-peers bench-growth eval train clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/.run ## Install, make var/ ready, and serve on http://127.0.0.1:8000
	@$(BIN)/kb serve

test: $(VENV)/.dev ## Run every test, the browser ones in the system's Chromium
	@$(BIN)/python -m tests.browser_note
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-faults: $(VENV)/.dev ## Kill, cut the power, fill and damage the disk; see docs/reliability.md
	$(BIN)/python -m pytest -n 2 --dist load -m faults $(ARGS) tests/faults

lint: $(VENV)/.dev ## ruff, mypy --strict, and the size of functions and files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/python benchmarks/sizes.py

bench: $(VENV)/.dev ## Build and query times; DATA=folder adds its helpcenter-zh and both engines
	$(BIN)/python benchmarks/speed.py $(if $(DATA),--data $(DATA))
	$(if $(DATA),$(BIN)/python -m benchmarks.engines --data $(DATA))

bench-growth: $(VENV)/.run ## From ten thousand to a million passages, from DATA=folder; about ten minutes
	@$(BIN)/python -m benchmarks.growth --data $(or $(DATA),$(error DATA= names the folder)) --svg docs/images/growth.svg

bench-load: $(VENV)/.run ## Typing, saving and rebuilding under load, from DATA=folder; ARGS="--scenario L1"
	@$(BIN)/python -m benchmarks.load --data $(or $(DATA),$(error DATA= names the folder)) $(ARGS)

bench-peers: $(VENV)/.run $(PEERS)/.run ## Hybrid search beside txtai and LanceDB, from DATA=folder
	@$(BIN)/python -m benchmarks.peers --peers $(PEERS) --data $(or $(DATA),$(error DATA= names the folder)) $(ARGS)

eval: $(VENV)/.run ## Tables of answer quality as Markdown; DATA=folder adds the public sets
	@$(BIN)/python -m benchmarks.quality $(if $(DATA),--data $(DATA))

train: $(VENV)/.run ## Train the shipped encoder anew from DATA=folder
	$(BIN)/kb model train $(if $(DATA),--data $(DATA))

clean: ## Remove the virtual environment and caches; var/ stays
	rm -rf $(VENV) $(PEERS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=")'
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS)/.run: benchmarks/peers/requirements.txt
	@test -d $(PEERS) || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@
