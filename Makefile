# On a fresh machine `make run` and `make test` are all the set-up there is.
PYTHON ?= python3
FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-all lint durability docs results

run: $(VENV)/run.stamp
	$(BIN)/python -m experiments.run $(FLAGS)

# The fast tests: pytest leaves out those that are marked slow (setup.cfg).
test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n auto --dist loadscope

# All tests, and once more those of numbers, compiled as users' programs are.
test-all: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n auto --dist loadscope -m ""
	GAN_JAX_TEST_XLA=default \
	$(BIN)/python -m pytest -n auto --dist loadscope -m "" tests/gan_jax

durability: $(VENV)/test.stamp
	$(BIN)/python -m tests.durability $(FLAGS)

# The pages of docs/, in build/docs/html; warnings are errors.
docs: $(VENV)/docs.stamp
	$(BIN)/sphinx-build -W --keep-going -n -q -d build/docs/doctrees \
	  docs build/docs/html
	@echo "written to build/docs/html/index.html"

# Reruns the numbers and pictures of README and docs, which takes hours.
results: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks.results $(FLAGS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

$(VENV)/run.stamp: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

$(VENV)/docs.stamp: $(VENV)/run.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@
