# Every target sets up what it needs in .venv first; python3 and make are all it takes.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test proofs fuzz lint clean

demo: .venv/.demo ## convert, verify and classify with the bundled checkpoint
	$(BIN)/zoo demo

test: .venv/.test lint ## every test but the long ones
	$(BIN)/python -m pytest -m "not long"

proofs: .venv/.test ## the long tests, and the full-size models; the figures go to docs/proofs.md
	$(BIN)/python -m pytest -m long
	$(BIN)/python -m tools.proofs

fuzz: .venv/.fuzz ## go on fuzzing every reader, FUZZ_SECONDS each (60)
	$(BIN)/python -m fuzz

lint: .venv/.test ## style, the three worlds, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[cpu]'
	touch $@

.venv/.test: .venv/.demo
	$(INSTALL) --editable '.[cpu,reference,sign,test,dev]'
	touch $@

.venv/.fuzz: .venv/.test
	$(INSTALL) --editable '.[fuzz]'
	touch $@
