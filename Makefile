# make demo   train on simulated brainstem responses and draw every loss (about 4 minutes)
# make test   lint, types, import contract and tests
# make bench  write benchmarks/RESULTS.md
# Needs python3 (3.11 or later) and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint types layers tests bench clean

demo: $(VENV)/installed
	$(BIN)/python train.py --config configs/config.yaml --experiment demo --overwrite

test: lint types layers tests

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

layers: $(VENV)/installed-dev
	$(BIN)/lint-imports

tests: $(VENV)/installed-dev
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "neuroprism needs Python 3.11 or later; try: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing neuroprism into $(VENV) (once)"
	$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV) (once)"
	$(INSTALL) --editable ".[dev]"
	@touch $@
