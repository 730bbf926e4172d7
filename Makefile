# Two commands, each enough on a fresh clone with Python 3.11 or newer and make alone: demo, test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WHEEL := build/wheel
# Errors alone: a machine's own settings of pip can make it warn of every package.
QUIETLY := --quiet --quiet --disable-pip-version-check
# Two workers; a file of cluster tests stays with one of them, for the sweep that its tests share.
PARALLEL := -n 2 --dist worksteal

.PHONY: help demo test test-fast test-long chaos fuzz nodes test-wheel test-minimum lint docs docs-run \
	requirements deploy-check study-brain study-hospital clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo "  MRISWEEP_TEST_DATA names the folder of real data for the tests (default ../shared);"
	@echo "  the tests that need them are skipped, and say so, where it is absent."

demo: $(VENV)/.installed  ## phantom data, a small sweep, the best-robust table (under 5 minutes)
	rm -rf demo
	$(BIN)/mrisweep phantom --out demo/phantom --patients 80
	$(BIN)/mrisweep ingest fastmri demo/phantom/volumes --labels demo/phantom/labels.csv \
		--reviewed demo/phantom/file_list.csv --rule demo/phantom/rule.yaml --out demo/knee.h5
	$(BIN)/mrisweep run deploy/sweeps/demo.yaml --out demo/sweep

test: $(VENV)/.installed-test lint  ## lint, types and every test (17 minutes on 2 cores)
	$(BIN)/python -m pytest $(PARALLEL) -m "not cluster and not long" --durations=15
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "cluster and not long" --durations=5

test-fast: $(VENV)/.installed-test  ## the tests without a cluster and without the slow ones
	$(BIN)/python -m pytest $(PARALLEL) -m "not cluster and not slow and not long"

test-long: $(VENV)/.installed-test  ## the long forms of tests, which `make test` leaves out
	$(BIN)/python -m pytest $(PARALLEL) -m long

RUNS ?= 20
SEED ?= 0
chaos: $(VENV)/.installed-test  ## sweeps disturbed at drawn moments, compared with undisturbed ones: RUNS=20 SEED=0
	$(BIN)/python -W ignore benchmarks/chaos.py --runs $(RUNS) --seed $(SEED) $(CHAOS)

MINUTES ?= 120
fuzz: $(VENV)/.installed-test  ## damaged files of every format that ingest reads: MINUTES=120 SEED=0
	$(BIN)/python -W ignore benchmarks/fuzz_ingest.py --minutes $(MINUTES) --seed $(SEED) $(FUZZ)

nodes: $(VENV)/.installed-test build/mlflow/.installed  ## a sweep on three real nodes that loses one, then the head (root, Linux)
	$(BIN)/python -m tests.nodes.three_nodes --mlflow-python $(CURDIR)/build/mlflow/bin/python $(NODES)

build/mlflow/.installed: deploy/requirements-mlflow.txt
	$(PYTHON) -m venv build/mlflow
	build/mlflow/bin/python -m pip install $(QUIETLY) --require-hashes --requirement $<
	touch $@

test-wheel: $(VENV)/.installed-test  ## fast tests against the built wheel, without the sources
	rm -rf $(WHEEL) build/lib build/bdist*
	$(BIN)/python -m pip wheel $(QUIETLY) --no-deps --no-build-isolation --wheel-dir $(WHEEL)/dist .
	$(BIN)/python -m pip install $(QUIETLY) --no-deps --target $(WHEEL)/site $(WHEEL)/dist/*.whl
	cp -r tests tools docs deploy examples benchmarks Makefile *.md CITATION.cff pyproject.toml \
		constraints.txt $(WHEEL)/
	cd $(WHEEL) && PYTHONPATH=site MRISWEEP_TEST_WHEEL=site \
		MRISWEEP_TEST_DATA=$(or $(MRISWEEP_TEST_DATA),$(abspath ../shared)) \
		../../$(BIN)/python -m pytest $(PARALLEL) -m "not cluster and not slow and not long" \
		--ignore tests/test_rooms.py

test-minimum:  ## fast tests with the oldest versions that pyproject.toml promises
	$(PYTHON) -m venv build/minimum
	build/minimum/bin/python -m pip install $(QUIETLY) -c constraints-minimum.txt --editable '.[test]'
	build/minimum/bin/python -m pytest $(PARALLEL) -m "not cluster and not slow and not long"

docs: $(VENV)/.installed-docs  ## the API reference from the docstrings, into build/docs; checks links
	$(BIN)/python tools/api_reference.py build/docs
	$(BIN)/python tools/links.py README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs deploy build/docs

docs-run: $(VENV)/.installed-test  ## what README, docs and deploy say, typed as it stands there (long: real sweeps)
	$(BIN)/python -m pytest -m "long or not long" tests/test_blocks.py tests/test_typed.py --durations=10

requirements:  ## the pinned requirements of deploy/, with hashes, from pyproject.toml and constraints.txt
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install $(QUIETLY) --requirement deploy/tools.txt
	PATH="$(CURDIR)/build/uv/bin:$$PATH" deploy/requirements.sh

deploy-check: $(VENV)/.installed-test  ## tests of deploy/ with hadolint and Kubernetes' own schemas
	$(BIN)/python -m pip install $(QUIETLY) --requirement deploy/tools.txt
	$(BIN)/python -m pytest tests/deploy

lint: $(VENV)/.installed-test  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(QUIETLY) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(QUIETLY) --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(QUIETLY) --constraint constraints.txt --editable '.[docs]'
	touch $@ $(VENV)/.installed

# Where the data of the studies are: the folders of their archives, each with a manifest.csv.
STUDY_DATA ?= ../shared/data

study-brain: STORE := brain
study-brain: ARCHIVE := brain_tumor_mri
study-brain: $(VENV)/.installed  ## norms with and without artifact augmentation, on brain tumours (under 90 minutes)
	$(STUDY)

study-hospital: STORE := lgg
study-hospital: ARCHIVE := tcga_lgg
study-hospital: $(VENV)/.installed  ## chosen at one hospital, asked at another, on gliomas (under 90 minutes)
	$(STUDY)

# What was done is not done again; a study that was interrupted goes on.
define STUDY
mkdir -p studies
test -e studies/$(STORE).h5 || $(BIN)/mrisweep ingest images $(STUDY_DATA)/$(ARCHIVE)/manifest.csv \
	--images $(STUDY_DATA)/$(ARCHIVE)/images --out studies/$(STORE).h5 --size 64
if test -e studies/$(@:study-%=%); then $(BIN)/mrisweep resume studies/$(@:study-%=%); \
	else $(BIN)/mrisweep run deploy/studies/$(@:study-%=%).yaml \
	--set data.store=studies/$(STORE).h5 --out studies/$(@:study-%=%); fi
$(BIN)/mrisweep report studies/$(@:study-%=%) --no-pictures --force \
	--out docs/studies/$(@:study-%=%).html --markdown docs/studies/$(@:study-%=%).md \
	--data docs/studies/$(@:study-%=%)
endef

clean:  ## remove the environment, the demo and what was built
	rm -rf $(VENV) demo build
