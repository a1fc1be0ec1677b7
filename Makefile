# Each target makes .venv on first use and installs into it what it needs, at the versions of
# constraints.txt; python3 (3.10 or newer) and make are all that must be there. Later calls install
# nothing unless one of the files named in SOURCES changed. Another Python: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SOURCES := setup.cfg pyproject.toml constraints.txt

export MPLBACKEND := Agg
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test slow check format bench notebooks test-lowest clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@echo "make demo         fit, compare and report on real data; prints where the report is"
	@echo "make test         the tests, without the slow ones"
	@echo "make slow         the slow tests"
	@echo "make check        format, lint, types, tests and structure"
	@echo "make format       write the format that the check asks for"
	@echo "make bench        speed and memory beside other packages"
	@echo "make notebooks    run the notebooks"
	@echo "make test-lowest  the tests on the oldest supported versions (python3.10)"
	@echo "make clean        remove .venv and all caches"

demo: $(VENV)/.has-core
	@$(VENV)/bin/glmnet-bridge demo

test: $(VENV)/.has-test
	@$(RUN) -m pytest -q

slow: $(VENV)/.has-test
	@$(RUN) -m pytest -q -m slow

# The structure tests (tests/test_shape.py) are among the tests.
check: $(VENV)/.has-dev
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest -q

format: $(VENV)/.has-dev
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

bench: $(VENV)/.has-bench
	@$(RUN) benchmarks/speed.py dense --threads 1 --peers glum sklearn_newton
	@$(RUN) benchmarks/speed.py dense --threads 2 --peers glum sklearn_newton
	@$(RUN) benchmarks/speed.py wide --threads 1
	@$(RUN) benchmarks/speed.py small --threads 1 --inner 20 --peers glum statsmodels
	@$(RUN) benchmarks/speed.py formula --threads 2 --repeat 3
	@$(RUN) benchmarks/accuracy.py
	@$(RUN) benchmarks/memory.py dense
	@$(RUN) benchmarks/reading.py --threads 1
	@$(RUN) benchmarks/safeguards.py
	@$(RUN) benchmarks/imports.py

notebooks: $(VENV)/.has-notebooks
	@set -e; for book in notebooks/*.ipynb; do $(VENV)/bin/jupyter-execute "$$book"; done

test-lowest: $(VENV)-lowest/.has-test-core
	@$(VENV)-lowest/bin/python -m pytest -q

clean:
	@rm -rf $(VENV) $(VENV)-lowest *.egg-info build dist .coverage htmlcov
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call make_venv,python,folder)
define make_venv
	@$(1) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "glmnet_bridge needs Python 3.10 or newer: make PYTHON=<path of a newer one>"; exit 1; }
	@$(1) -m venv $(2) \
		|| { echo "$(1) cannot make a virtual environment; on Debian, install python3-venv."; exit 1; }
endef

# $(call install,folder,extra,constraints): "core" is no extra; pip is silent unless it fails
define install
	@echo "Installing glmnet_bridge and what '$(2)' needs into $(1) (about a minute, the first time) ..."
	@$(1)/bin/python -m pip install -qq -e "$(if $(filter core,$(2)),.,.[$(2)])" -c $(3) \
		|| { echo "The installation failed; the reason stands above. Then run the same command again."; exit 1; }
	@touch $@
endef

$(VENV)/.made:
	$(call make_venv,$(PYTHON),$(VENV))
	@touch $@

$(VENV)/.has-%: $(VENV)/.made $(SOURCES)
	$(call install,$(VENV),$*,constraints.txt)

$(VENV)-lowest/.has-test-core: PYTHON = python3.10
$(VENV)-lowest/.has-test-core: setup.cfg pyproject.toml constraints-lowest.txt
	$(call make_venv,$(PYTHON),$(VENV)-lowest)
	$(call install,$(VENV)-lowest,test-core,constraints-lowest.txt)
