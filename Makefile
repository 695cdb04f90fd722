# `make` or `make help` lists the targets: those with a comment after ##.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-cluster compiled faults bench check docs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY)  ## set up, then search, benchmark and report on bundled data (about 2 minutes)
	$(BIN)/unlearn demo

# Each file runs as a whole, in the order of tests/conftest.py. Files that pytest compiles are kept, even if the
# environment forbids it. `test` has three processes for two cores, because its long tests wait for processes; Ray
# nodes are too heavy for a third one.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

test: $(READY) compiled  ## set up, then run all tests except those of test-cluster (about 10 minutes)
	$(PYTEST) -n 3 -m "not several_nodes"

test-cluster: $(READY) compiled  ## run the tests that start several Ray nodes or drivers on this machine
	$(PYTEST) -n 2 -m several_nodes

# Tests start hundreds of processes; without compiled files each of them would compile the packages again.
compiled: $(READY)
	@$(BIN)/python -m compileall -q analysis benchmarks cluster search unlearnbench

faults: $(READY)  ## run the tests of failures at full length: 250 trials, 20 killed drivers
	FAULT_TRIALS=250 FAULT_KILLS=20 UNLEARN_FUZZ=3000 $(BIN)/python -m pytest --timeout 1800 \
		tests/faults tests/search/test_folder_fuzz.py tests/analysis/test_mutated.py

bench: $(READY)  ## measure speed and memory, compared with the plain way of doing the same
	$(BIN)/python -m tests.performance

check: $(READY)  ## run the linter, the formatter and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)  ## build the documentation as a site in site/; fails on a broken link
	$(BIN)/python -m sphinx -W --keep-going -q -d build/doctrees docs site
	@echo "open site/index.html"

$(READY): pyproject.toml
	@echo "setting up $(VENV) (PyTorch is large: this takes a few minutes once)"
	$(PYTHON) -m venv $(VENV)
	@echo "upgrading pip in it"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python .ci/install.py -e '.[dev]'
	@touch $@

clean:  ## delete .venv
	rm -rf $(VENV)
