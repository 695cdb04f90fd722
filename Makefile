# make demo | make test | make test-cluster | make faults | make bench | make check | make docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-cluster compiled faults bench check docs clean

demo: $(READY)  ## set up, then run the main job on bundled data
	$(BIN)/unlearn demo

# Whole files, in the order of tests/conftest.py; what pytest compiles is kept, also where the environment says otherwise.
# Three processes for the two cores of `test`, as its long tests wait for processes; nodes are too heavy for a third.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

test: $(READY) compiled  ## set up, then run the tests, except those of test-cluster
	$(PYTEST) -n 3 -m "not several_nodes"

test-cluster: $(READY) compiled  ## the tests that start several Ray nodes, or several drivers, on this machine
	$(PYTEST) -n 2 -m several_nodes

# Tests start hundreds of processes; where the environment keeps no compiled files, each would compile ours again
compiled: $(READY)
	@$(BIN)/python -m compileall -q analysis benchmarks cluster search unlearnbench

faults: $(READY)  ## what a long run meets, at full length: 250 trials each, a driver killed 20 times
	FAULT_TRIALS=250 FAULT_KILLS=20 UNLEARN_FUZZ=3000 $(BIN)/python -m pytest --timeout 1800 \
		tests/faults tests/search/test_folder_fuzz.py tests/analysis/test_mutated.py

bench: $(READY)  ## speed and memory, beside the plain way of doing the same
	$(BIN)/python -m tests.performance

check: $(READY)  ## linter, formatter, type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)  ## the documentation as a site in site/; fails on a broken link
	$(BIN)/python -m sphinx -W --keep-going -q -d build/doctrees docs site
	@echo "open site/index.html"

$(READY): pyproject.toml
	@echo "setting up $(VENV) (PyTorch is large: this takes a few minutes once)"
	$(PYTHON) -m venv $(VENV)
	@echo "upgrading pip in it"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python .ci/install.py -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV)
