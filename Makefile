# What a developer needs. Every target works in .venv, which the first one makes; that takes a minute or two.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
YARDSTICKS := benchmarks/.venv
YARDSTICKS_INSTALLED := $(YARDSTICKS)/.installed
JS_INSTALLED := tests/acceptance/js/node_modules/.installed

.PHONY: help demo test test-long check test-setup serve format lint types imports lock example screenshot bench

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

demo: $(INSTALLED) ## load a CSV file into profiles with boto3, on a server in a temporary folder
	$(BIN)/python examples/demo.py

test: $(INSTALLED) $(JS_INSTALLED) ## everything that a change must pass: lint, types, imports and the daily tests
	@$(BIN)/python scripts/run_tests.py

test-long: $(INSTALLED) $(JS_INSTALLED) ## all tests in their long form, before a release; up to an hour
	@OPENPROFILES_TEST_FORM=long $(BIN)/python scripts/run_tests.py

check: $(INSTALLED) ## lint, types, imports and the fast two thirds of the tests, while you edit
	@$(BIN)/python scripts/run_tests.py tests/unit tests/store tests/wire

# Debian's packages, as root; elsewhere install a Chromium and name it in OPENPROFILES_CHROMIUM. The one without windows
# takes a fifth of the other's processor time.
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
test-setup: ## install what the tests need in addition to Python: a Chromium, for the console
	@if [ -n "$$OPENPROFILES_CHROMIUM" ] || command -v chromium-headless-shell >/dev/null; then \
		echo "A Chromium is here."; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		{ apt-get update -qq && $(APT_INSTALL) chromium-headless-shell; } || command -v chromium || $(APT_INSTALL) chromium; \
	elif command -v chromium >/dev/null; then \
		echo "A Chromium is here. With chromium-headless-shell, where it is packaged, the console's tests take less time."; \
	else \
		echo "There is no Chromium here, so the console's tests will be left out. Install chromium-headless-shell or"; \
		echo "chromium, or set OPENPROFILES_CHROMIUM to the program."; \
	fi

serve: $(INSTALLED) ## run a server on ./openprofiles-data, at http://127.0.0.1:8420
	$(BIN)/openprofiles serve

format: $(INSTALLED) ## put the code into its form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(INSTALLED) ## check the code's form and look for likely mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## check the types
	$(BIN)/mypy

imports: $(INSTALLED) ## check who imports whom, as ARCHITECTURE.md has it
	$(BIN)/lint-imports

example: $(INSTALLED) ## write examples/customers.csv and docs/cli.md again
	$(BIN)/python scripts/make_example.py
	$(BIN)/python scripts/make_cli_page.py

screenshot: $(INSTALLED) ## take the picture of the console in README.md again
	$(BIN)/python scripts/make_screenshot.py

# At most 15 minutes. BENCH="--only loads" for a part, BENCH="--against main" to compare, BENCH=--full for the README.
bench: $(INSTALLED) $(YARDSTICKS_INSTALLED) ## measure loads, the API and the console; see benchmarks/README.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks --folder benchmarks/.work --yardstick-python $(YARDSTICKS)/bin/python $(BENCH)

# The AWS SDK for JavaScript, which one test uses. Where npm is missing or its registry is out of reach, that test is left
# out and says so.
$(JS_INSTALLED): tests/acceptance/js/package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --prefix tests/acceptance/js --no-audit --no-fund --loglevel=error && touch $@ \
			|| echo "The AWS SDK for JavaScript could not be installed; its test is left out."; \
	else echo "npm is not here; the test with the AWS SDK for JavaScript is left out."; fi

wheel: $(INSTALLED) ## make dist: the wheel, what it needs, and a systemd unit, to install on a server
	$(BIN)/python scripts/make_wheel.py

# Needs uv. What is locked already stays, unless pyproject.toml asks for newer.
lock: ## bring all requirements.lock up to pyproject.toml
	echo 'setuptools>=77' | uv pip compile pyproject.toml - --group dev --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock
	echo 'setuptools>=77' | uv pip compile pyproject.toml - --extra postgresql --extra s3 --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file deploy/requirements.lock
	uv pip compile --group bench --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file benchmarks/requirements.lock

# Nothing comes from the network that requirements.lock does not name with its hash, setuptools included.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "openprofiles needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into .venv ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(YARDSTICKS_INSTALLED): benchmarks/requirements.lock
	$(PYTHON) -m venv $(YARDSTICKS)
	$(YARDSTICKS)/bin/python -m pip install --quiet --require-hashes -r benchmarks/requirements.lock
	@touch $@
