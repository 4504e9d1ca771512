# Pocketlab. `make` alone lists what there is to make.

IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
LAB_OPTIONS := --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/labs/00_start_here.ipynb \
  --LabApp.extension_manager=readonly \
  $(if $(PORT),--port=$(PORT) --ServerApp.port_retries=0) $(if $(filter 0,$(BROWSER)),--no-browser) \
  $(if $(filter 0,$(shell id -u)),--allow-root)
export JUPYTER_CONFIG_PATH := $(CURDIR)/binder$(if $(JUPYTER_CONFIG_PATH),:$(JUPYTER_CONFIG_PATH))
WANTED := Pocketlab needs Python 3.11 or 3.12: install it (Debian 12, Ubuntu 24.04: sudo apt install python3-venv; \
  macOS: brew install python@3.11), then run make lab again. Found here:

.DEFAULT_GOAL := help
.PHONY: help install lab build check test bench bench-damage lock clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 19

install: ## install the course into .venv, or bring it up to date
	@for python in python3.11 python3.12 python3; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then \
	    exec $$python -I lib/pocketlab/course/install.py; \
	  fi; \
	done; \
	echo "$(WANTED) $$(python3 --version 2>/dev/null || echo no Python)." >&2; exit 1

lab: install ## open the course in JupyterLab; BROWSER=0 serves it only, PORT=8890 chooses the port
	@$(IN_VENV) jupyter lab $(LAB_OPTIONS)

build: install ## write the notebooks of labs/ and solutions/ from solutions/*.py; ONLY=01 for one lab
	@$(IN_VENV) python -m pocketlab.course.build $(ONLY)

check: install ## the fast checks, under a minute: stale notebooks, ruff, mypy, floors, links, environments
	$(IN_VENV) ruff check .
	$(IN_VENV) mypy
	$(IN_VENV) python -m pocketlab.course.build --check
	$(IN_VENV) python -m pytest $(addprefix tests/unit/test_,$(addsuffix .py,floors links layout environment))

test: install ## everything: the checks, unit tests, exercises, all notebooks, the browser
	@$(IN_VENV) python tests/everything.py

bench: install ## measure ours against theirs; ONLY=name for one row
	@$(IN_VENV) python -m tests.bench $(ONLY)

bench-damage: install ## damage 2,000 files of each format and count what comes of it; ONLY=tflite for one format
	@$(IN_VENV) python -m tests.bench.damage $(ONLY)

lock: install ## resolve requirements.lock anew, and write environment.yml from it
	@$(IN_VENV) python -m pocketlab.course.environment

clean: ## remove what tools left behind; .venv, progress and artifacts stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	rm -rf tests/bench/results.json tests/browser/screenshots tests/notebooks/report.json
	find lib tests -name __pycache__ -prune -exec rm -rf {} +
