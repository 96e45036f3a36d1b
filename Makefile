# FaaSioFlex: what people type. Linux, Python >= 3.11 and make; everything else goes into .venv and .tools.
# PYTHON=/path/to/python names another Python, DATA=DIR another data folder for up and down.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install install-dev demo up down test check bench crash soak simulate format clean
ffx := .venv/bin/ffx
python := .venv/bin/python
data := $(if $(DATA),--data $(DATA))

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: ## .venv with the command ffx, and what the embedded platform needs
	@python=$$(tools/find_python.sh) && "$$python" tools/install

install-dev:
	@python=$$(tools/find_python.sh) && "$$python" tools/install --dev

demo: install ## start a platform, deploy, call, roll out under load, scale to zero, stop: a tour with times
	@$(python) tools/demo

up: install ## the platform in the foreground, its data in ~/.local/share/faasioflex
	@exec $(ffx) up $(data)

down: install ## stop it
	@$(ffx) down $(data)

test: install-dev ## the whole test suite, in several processes (PYTEST_ARGS="-n 0 tests/unit": in one, a part of it)
	@PYTHONDONTWRITEBYTECODE= $(python) -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

check: install-dev ## formatter, linter, types, import contracts
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: install ## how fast it is, as ratios: bench/results/*.json and docs/performance.md (BENCH=quick: does it work?)
	@$(python) -m bench $(if $(filter quick,$(BENCH)),--quick)

soak: install ## 100 functions under random load for MINUTES=10: no error, nothing that grows
	@$(python) -m bench.soak --minutes $(or $(MINUTES),10)

crash: install ## 20,000 asynchronous calls while everything is killed -9 in random order: none is lost, none ends twice
	@$(python) -m bench.crash

simulate: install ## the autoscaler against Knative's default policy on traces in virtual time: bench/results/simulate.json
	@$(python) -m bench.simulate

format: install-dev ## write files as the formatter wants them
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

clean: ## remove what was installed and built; data folders stay
	rm -rf .venv .tools runtimes/*/_packages build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find src tests tools runtimes -name __pycache__ -type d -prune -exec rm -rf {} +
