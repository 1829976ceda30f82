# Two commands for a new user: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo

.PHONY: help setup demo test lint lock bench clean

help:
	@echo "make demo   set up .venv and run the main job on a real CT (LiTS case 117); results in $(DEMO)/"
	@echo "make test   set up .venv with PyTorch and run every test"
	@echo "make lint   ruff and mypy"
	@echo "make bench  print the measured figures (minutes)"
	@echo "make lock   renew constraints.txt from pyproject.toml"
	@echo "make clean  remove .venv and $(DEMO)/"

# The stamp is renewed whenever the pins change, so an old .venv follows them.
$(VENV)/.installed: pyproject.toml constraints.txt requirements-sample.txt
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else f'MeWM is tested with Python 3.10 to 3.12, but {sys.executable} is {v[0]}.{v[1]}; run make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[evaluation,dicom,policy,scene,test]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-sample.txt
	@touch $@

setup: $(VENV)/.installed

# PyTorch and what trains on it: only the tests and the learned models need them.
$(VENV)/.installed-learned: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[learned]"
	@touch $@

demo: setup
	$(BIN)/mewm explore --sample --out $(DEMO) --overwrite
	$(BIN)/mewm scene $(DEMO)

# One process a core; the tests of one file stay together, because they share what they set up.
test: $(VENV)/.installed-learned
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python Testing/benchmarks/bench_import.py
	$(BIN)/python Testing/benchmarks/bench_geometry.py
	$(BIN)/python Testing/benchmarks/bench_sample_case.py
	$(BIN)/python Testing/benchmarks/bench_explore.py
	$(BIN)/python Testing/benchmarks/bench_panel.py
	$(BIN)/python Testing/benchmarks/bench_worker.py
	$(BIN)/python Testing/benchmarks/bench_extraction.py

lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.10 --all-extras --no-header --no-annotate --upgrade pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) $(DEMO)
