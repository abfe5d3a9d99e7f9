# The two commands of a new checkout are `make demo` and `make test`.
# Everything lives in .venv; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: install demo test test-slow check lint types constraints clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev,postgres]'
	touch $(READY)

demo: install
	$(BIN)/iterate hpo search_spaces/quickstart.yaml

# Two processes, each with one thread: the suite is many small things. In the order of their names:
# files of one long test would else come last, and leave the other process idle.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow and not gpu' -n 2 --dist loadfile --no-loadscope-reorder

test-slow: install
	$(BIN)/python -m pytest -m slow

check: install lint types test

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# Pins for every supported Python, without an address in them.
constraints: install
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-annotate --no-header --upgrade --output-file constraints.txt

clean:
	rm -rf $(VENV)
