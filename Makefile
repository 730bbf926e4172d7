# Two commands, each enough on a fresh clone with Python 3.11 or newer and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

demo: $(VENV)/.installed  ## phantom data, a small sweep, the best-robust table (under 5 minutes)
	rm -rf demo
	$(BIN)/mrisweep phantom --out demo/phantom --patients 80
	$(BIN)/mrisweep ingest fastmri demo/phantom/volumes --labels demo/phantom/labels.csv \
		--reviewed demo/phantom/file_list.csv --rule demo/phantom/rule.yaml --out demo/knee.h5
	$(BIN)/mrisweep run deploy/sweeps/demo.yaml --out demo/sweep

test: $(VENV)/.installed-test lint  ## lint, types and every test (under 15 minutes on 2 cores)
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) demo
