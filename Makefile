# `make demo`: set up, edit pictures with the embedded model, write out/demo/.  `make test`: set up and pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check clean

demo: $(STAMP)
	@$(BIN)/dragkit demo --out out/demo

test: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if [ -d studio/node_modules ]; then npm --prefix studio run --silent check; fi
	@$(BIN)/python -m pytest

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "dragkit: got Python %d.%d, want 3.11 or newer; run `make PYTHON=python3.12 $(MAKECMDGOALS)`" % sys.version_info[:2])'
	@echo "dragkit: setting up $(VENV) (once, about 2 minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[studio,dev]"
	@touch $(STAMP)

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache
