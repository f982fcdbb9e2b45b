# Every target sets up .venv by itself on first use; nothing but Python 3.11+ and make is needed.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# One more than a usual runner has cores: a test often waits for a broker, a store or a clock.
WORKERS ?= 3

.PHONY: demo up test check bench soak lock format clean
.DEFAULT_GOAL := demo

demo: $(STAMP)  ## Play the case of docs/the-case.md through the real queue and show what became of it.
	$(BIN)/onward demo

up: $(STAMP)  ## Run every service in this terminal until Ctrl-C.
	$(BIN)/onward up

test: $(STAMP)  ## All tests, on a real broker, SQLite and PostgreSQL.
	$(BIN)/pytest -n $(WORKERS) --maxschedchunk 1

check: $(STAMP)  ## Format, lint, layers, strict types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(STAMP)  ## Every benchmark; each prints ratios measured in one run. Fetches the engines beside which rules are measured.
	@$(BIN)/python -c 'import zen, datalogic_py, cel_expr_python, cel' 2>/dev/null || \
	  if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.lock; \
	  else $(BIN)/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/bench.lock; fi
	$(BIN)/python -m bench

soak: $(STAMP)  ## The long campaigns (300 kills and more).
	ONWARD_SOAK=1 $(BIN)/pytest -m soak --timeout 7200

format: $(STAMP)  ## Mend what the formatter and the linter can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP)  ## Make the lock files anew from pyproject.toml (needs uv).
	echo pip | uv pip compile - $(LOCK) -o requirements/pip.lock
	uv pip compile pyproject.toml $(LOCK) -o requirements/run.lock
	uv pip compile pyproject.toml --group dev $(LOCK) -c requirements/run.lock -o requirements/dev.lock
	uv pip compile --group bench $(LOCK) -c requirements/dev.lock -o requirements/bench.lock
LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

# uv is used where it is on the PATH because it is quicker; the lock and its hashes are the same. The pip that comes with
# Python is often one that takes the newest of a package that is asked for with an extra, and then refuses it as not pinned.
$(STAMP): requirements/dev.lock requirements/pip.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Onward needs Python 3.11 or newer: install it, or call make PY=python3.12")'
	@test -x $(BIN)/python || $(PY) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.lock && \
	  uv pip install -q --python $(BIN)/python --no-build-isolation --no-deps -e . ; \
	else \
	  echo "Setting up $(VENV) (once, about half a minute) ..." && \
	  $(BIN)/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/pip.lock || \
	    echo "The newer pip cannot be had; going on with the one that came with Python."; \
	  $(BIN)/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.lock && \
	  $(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e . ; \
	fi
	@touch $@

clean:  ## Remove what was set up and what ran here (.venv, .onward, caches).
	rm -rf $(VENV) .onward .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
