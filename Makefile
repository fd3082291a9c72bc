# What people run and what CI runs are the same targets. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Programs of the environment first, as if it were activated: Verilator's makefiles call `python`.
ACTIVE := PATH="$(CURDIR)/$(BIN):$$PATH"
CAPTURE ?= tests/data/bulk.pcap
WIDTH ?= 64

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-long lint format bench synth mutate picture captures lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY) ## make .venv with the locked versions and Offcut itself, editable
	@:

$(READY): requirements.lock pyproject.toml
	@missing=; for tool in g++ make perl; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then echo "Offcut compiles its gateware with Verilator, which needs:$$missing. Please install them." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "Offcut needs Python 3.11 or later as $(PYTHON); name another one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) cannot make virtual environments; please install its venv module (Debian: python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

DEMO = offcut segment $(CAPTURE) --engine rtl --width $(WIDTH) --check --picture build/demo/superframe.svg -o build/demo/wire.pcap

demo: $(READY) ## cut a real capture by the RTL engine, check it against the model, draw a super-frame (CAPTURE=, WIDTH=)
	@mkdir -p build/demo
	@echo "$(DEMO)"; echo "(The first time, the gateware is compiled; that takes up to a minute.)"; echo
	@$(ACTIVE) $(DEMO)

test: $(READY) lint ## lint, then all tests but the long campaign
	$(ACTIVE) python -m pytest -n 2

test-long: $(READY) ## the long campaign
	$(ACTIVE) python -m pytest -n 2 --long

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY) ## let ruff format everything
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## the goals' table: what is reached in clocks, area, routed speed, and the harness's speed
	$(ACTIVE) python scripts/bench

synth: $(READY) ## area by block, critical path and routed speed (WIDTH=)
	$(ACTIVE) python scripts/synth --width $(WIDTH)

mutate: $(READY) ## plant each fault of scripts/mutations.toml and see a test find it
	$(ACTIVE) python scripts/mutate

picture: $(READY) ## draw docs/images/superframe.svg again
	$(ACTIVE) offcut segment tests/data/bulk.pcap --picture docs/images/superframe.svg -o /dev/null

captures: $(READY) ## record tests/data again from Linux senders in network namespaces (root)
	$(BIN)/python scripts/make_captures tests/data

lock: ## choose the newest versions that pyproject.toml allows and write requirements.lock
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@{ echo "# Exact versions for .venv, made by 'make lock' from pyproject.toml, where the reasons stand."; \
	build/lock/bin/python -m pip freeze --exclude offcut; } > requirements.lock
	rm -rf build/lock

clean: ## remove build/ and .venv
	rm -rf build $(VENV)
