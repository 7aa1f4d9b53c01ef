# Every command of a developer's day; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: faults soak help setup demo demo-model up test check lint types layers tests aimock contract fmt client lock settings clean

BIN := .venv/bin

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with everything needed (the others do it by themselves)
	@.ci/setup

demo: setup ## run two jobs on generated data and show everything
	@$(BIN)/apwa demo

demo-model: setup ## run one sentence on generated data with the model that is configured
	@$(BIN)/apwa demo-model

up: setup ## run the whole system on this machine until Ctrl-C
	@$(BIN)/apwa up

test: lint types layers tests ## everything that must hold: lint, types, layers, tests

check: test ## the same as `make test`

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

tests: setup
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

AIMOCK := 1.43.0
AIMOCK_THERE := .aimock/$(AIMOCK)

aimock: setup $(AIMOCK_THERE) ## end-to-end tests against aimock, a mock server from npm (needs it)
	$(BIN)/pytest tests/aimock

$(AIMOCK_THERE):
	rm -rf .aimock
	npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
		--prefix .aimock @copilotkit/aimock@$(AIMOCK)
	@touch $@

faults: setup ## all fault tests, the long ones too, on real processes
	$(BIN)/pytest -m "long or not long" tests/faults tests/soak

soak: setup ## random faults over many jobs; MINUTES=10 SEED=1
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

contract: setup ## schemathesis over the live services, every check; EXAMPLES=100 SEED=1
	$(BIN)/python -m tests.contract --examples $(or $(EXAMPLES),100) --seed $(or $(SEED),1)

fmt: setup ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

settings: setup ## write .env.example anew from shared/settings.py
	$(BIN)/python -m shared.settings > .env.example

COMPILE := uv pip compile -q --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --python-version 3.11 --custom-compile-command "make lock"

client: setup ## write the blocking half of the Python client anew
	$(BIN)/python clients/python/write_blocking.py

lock: ## write requirements*.txt anew from requirements*.in (needs uv)
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) -c requirements.txt requirements-dev.in -o requirements-dev.txt

clean: ## remove what the commands above made, stacks and demo output included
	rm -rf .venv .apwa .aimock demo-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
