# Every target sets up what it needs in .venv first; python3 and make are all it takes.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-paddlenlp proofs bench fuzz lint clean

demo: .venv/.demo ## convert, verify and classify with the bundled checkpoint
	$(BIN)/zoo demo

test: .venv/.test lint ## every test but the long ones
	$(BIN)/python -m pytest -m "not long"

test-paddlenlp: .venv/.test .venv-paddlenlp/.done ## what zoo exports, loaded in PaddleNLP
	ZOO_PADDLENLP_PYTHON=.venv-paddlenlp/bin/python $(BIN)/python -m pytest tests/convert/formats/test_paddlenlp.py

proofs: .venv/.test ## the long tests, and the full-size models; the figures go to docs/proofs.md
	$(BIN)/python -m pytest -m long
	$(BIN)/python -m tools.proofs
	$(BIN)/python -m tools.proofs_hf

bench: .venv/.bench ## side by side with the peers; BENCH='convert load --rounds 9' chooses
	$(BIN)/python -m benchmarks $(BENCH)

fuzz: .venv/.fuzz ## go on fuzzing every reader, FUZZ_SECONDS each (60)
	$(BIN)/python -m fuzz

lint: .venv/.test ## style, the three worlds, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .venv-paddlenlp .mypy_cache .pytest_cache .ruff_cache

.venv/.demo: pyproject.toml constraints.txt
	@echo "setting up .venv with Paddle for CPU; pip takes a few minutes"
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[cpu]'
	touch $@

.venv/.test: .venv/.demo
	$(INSTALL) --editable '.[cpu,reference,sign,test,dev]'
	touch $@

.venv/.bench: .venv/.test
	$(INSTALL) --editable '.[bench]'
	touch $@

.venv/.fuzz: .venv/.test
	$(INSTALL) --editable '.[fuzz]'
	touch $@

# It wants numpy 1 and an old huggingface_hub, so it can't share ours. Newer aistudio-sdk and pyarrow
# than these break its import.
.venv-paddlenlp/.done:
	$(PYTHON) -m venv .venv-paddlenlp
	.venv-paddlenlp/bin/python -m pip install --quiet --disable-pip-version-check \
		paddlepaddle==3.3.1 paddlenlp==3.0.0b4 aistudio-sdk==0.2.6 "pyarrow<22"
	touch $@
