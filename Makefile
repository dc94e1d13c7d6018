# Anygate's tasks. They need make and a Python 3.11 to 3.13 with pip; everything else is installed into .venv, pinned.
# `make PYTHON=/path/to/python3.12 test` chooses the interpreter, `make TESTS="-x src/anygate/ledger" test` the tests.

SHELL = /bin/sh
PYTHON =
TESTS = -n 2
BENCH =
AGENTS =
BIN = .venv/bin
READY = .venv/ready
COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--custom-compile-command "make requirements"

.PHONY: help venv check check-format check-lint check-types check-imports test fix bench agents instructions chaos soak demo prices matrix requirements wheel

help:
	@echo "make test          install what the tests need into .venv, and run them"
	@echo "make check         formatting, lint, types, imports"
	@echo "make fix           repair what a machine can"
	@echo "make demo          run the gateway with simulated upstreams"
	@echo "make bench         compare with nginx: CPU, latency, memory (needs gcc and nginx)"
	@echo "make agents        coding agents write a file through the gateway (needs npm; the models are simulated)"
	@echo "make instructions  what a request costs in the relay's own code, step by step (needs gcc and valgrind)"
	@echo "make chaos         the long proofs: kill -9 under load, fencing"
	@echo "make soak          memory over many requests"
	@echo "make prices        read the default prices from the package genai-prices again"
	@echo "make matrix        write docs/conversion-matrix.md anew from what the codecs do"
	@echo "make requirements  pin the newest allowed dependencies (needs uv)"
	@echo "make wheel         build dist/anygate-*.whl"

venv: $(READY)

# pyproject.toml holds the entry point and the version's place, so the editable install follows it.
# Old lines of SDKs lie apart, for tests that start a process with them first on its path.
$(READY): requirements-dev.txt requirements-old-sdks.txt pyproject.toml
	@if [ ! -x $(BIN)/python ]; then \
		for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
			if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
				echo "$$python -m venv .venv"; "$$python" -m venv .venv || exit 1; break; \
			fi; \
		done; \
		[ -x $(BIN)/python ] || { echo "No Python 3.11 to 3.13 was found: make PYTHON=/path/to/python3 ..." >&2; exit 1; }; \
	fi
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@rm -rf .venv/old-sdks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target .venv/old-sdks -r requirements-old-sdks.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# `make -k check` goes on to the next after a failure.
check: check-format check-lint check-types check-imports

check-format: $(READY)
	$(BIN)/ruff format --check

check-lint: $(READY)
	$(BIN)/ruff check

# pyright would ask PyPI whether there is a newer one; node comes from the pinned wheel.
check-types: $(READY)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

check-imports: $(READY)
	$(BIN)/lint-imports

test: $(READY)
	$(BIN)/pytest $(TESTS)

fix: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)
	$(BIN)/python -m bench.run $(BENCH)

# `make AGENTS="--only codex --keep /tmp/traces" agents` runs some, and keeps what they did.
agents: $(READY)
	$(BIN)/python -m tests.agents.run $(AGENTS)

instructions: $(READY)
	$(BIN)/python -m bench.instructions

chaos: $(READY)
	ANYGATE_LONG=1 $(BIN)/pytest -n 2 tests/chaos

soak: $(READY)
	ANYGATE_LONG=1 $(BIN)/pytest tests/chaos/test_soak.py

demo: $(READY)
	$(BIN)/anygate serve --demo

prices: $(READY)
	$(BIN)/python -m anygate.pricing.build_defaults

matrix: $(READY)
	$(BIN)/python -m tests.matrix

requirements:
	@command -v uv >/dev/null || { echo "uv is missing: python3 -m pip install uv" >&2; exit 1; }
	$(COMPILE) --upgrade --output-file requirements.txt pyproject.toml
	$(COMPILE) --upgrade --output-file requirements-postgres.txt --constraint requirements.txt --extra postgres pyproject.toml
	$(COMPILE) --upgrade --output-file requirements-dev.txt --constraint requirements-postgres.txt --extra postgres --group dev pyproject.toml
	$(COMPILE) --upgrade --no-deps --output-file requirements-old-sdks.txt --group old-sdks

wheel: $(READY)
	$(BIN)/python -m build --wheel --no-isolation
