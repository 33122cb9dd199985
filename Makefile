# The commands of the project. Each sets up .venv by itself when that is missing or older than the lock.

.DEFAULT_GOAL := help
.PHONY: repro test proof lint docs tour screens lock bench bench-scale bench-groups bench-fetch bench-train bench-stream bench-gpu bench-color weights systems clean help

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONDONTWRITEBYTECODE  # every command would compile our modules again

repro: .venv  ## run the pipeline: all that is missing or has changed, from search to evaluate
	dvc repro
	@prep report

# Each process has a core of its own, on which several threads would wait for each other.
test: export OMP_NUM_THREADS := 1
test: .venv  ## run the tests
	pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

proof: .venv  ## run the slow proofs: kills at random, ten thousand mutilated files, a wheel, pictures learned by heart
	pytest -q -m slow

lint: .venv  ## check style, formatting and types
	ruff check
	ruff format --check
	mypy

docs: .venv  ## write docs/commands.md from the commands
	python -m stages.manual

tour: .venv  ## run the cells of docs/tour.ipynb, and store what they print and show
	python docs/tour.py

screens: .venv  ## take the pictures of the studio in docs/ again, in Chromium; data/ must be that of make repro
	python docs/screens.py

lock: .venv  ## pin the newest version of every package, with hashes, for all platforms
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-header --output-file requirements.lock pyproject.toml

bench: .venv  ## print the speed of the preparation, beside other ways of doing the same work
	python benchmarks/prepare.py

bench-scale: .venv  ## print what ten times the pictures cost, and a run that is resumed or grown
	python benchmarks/scale.py

bench-groups: .venv  ## print the speed of finding look-alikes, beside comparing all pairs
	python benchmarks/groups.py

bench-fetch: .venv  ## print the speed of the download, beside img2dataset on the same site
	python benchmarks/fetch.py

bench-train: .venv  ## print the speed of training on a CPU, beside the loop that everybody writes
	python benchmarks/train.py --check

bench-stream: .venv  ## print the speed of the loader from an S3 server, beside that from a folder
	python benchmarks/stream.py

bench-gpu: .venv  ## print the speed of training on a GPU, in at most nine minutes
	python benchmarks/train.py --device cuda

bench-color: .venv  ## print how long coloring a picture takes on one core
	python benchmarks/color.py

weights: .venv  ## train the model that ships from a folder of pictures, CORPUS, with a MANIFEST.csv: two core-hours
	python benchmarks/weights.py "$(CORPUS)"

systems: .venv  ## train all systems on the sample, on as many pictures each, and compare them
	dvc repro pack
	python benchmarks/systems.py data/pairs .bench/systems

clean:  ## remove what a run made, and the set-up; what git and DVC's cache hold stays
	rm -rf .venv .prep .bench *.egg-info
	git clean -fdXq data

help:  ## show this
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ {printf "%-12s %s\n", $$1, $$2}' Makefile

# uv from the lock installs all the rest, so that every package is checked against its hash.
.venv: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	grep -A 40 '^uv==' requirements.lock | sed '/\\$$/!q' > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --require-hashes --requirement .venv/uv.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --compile-bytecode --require-hashes requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch .venv
