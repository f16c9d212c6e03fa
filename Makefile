# Everything that a fresh machine needs besides Python >= 3.11 and make is set up here, inside .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=

.PHONY: help demo test lint check clean

help:
	@echo "make demo   audit a few studies with the bundled set-up and write their PDFs"
	@echo "make test   run the tests"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make check  lint and test"
	@echo "make clean  remove .venv and the demo's output"

# The stamp is newer than what decides the environment, so installing again takes no time.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "medaudit needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group dev
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/medaudit demo

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

clean:
	rm -rf $(VENV) demo-audit
