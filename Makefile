# Commands for developers. All targets use .venv, which the first one creates; that takes a minute or two.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
YARDSTICKS := benchmarks/.venv
YARDSTICKS_INSTALLED := $(YARDSTICKS)/.installed
JS_INSTALLED := tests/acceptance/js/node_modules/.installed

.PHONY: help demo test test-long check test-setup serve format lint types imports lock example screenshot bench wheel

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

demo: $(INSTALLED) ## load a CSV file into profiles with boto3, on a server in a temporary folder
	$(BIN)/python examples/demo.py

test: $(INSTALLED) $(JS_INSTALLED) ## all checks that a change must pass: lint, types, imports and the daily tests
	@$(BIN)/python scripts/run_tests.py

test-long: $(INSTALLED) $(JS_INSTALLED) ## all tests in their long form, before a release; 40 minutes on two processors
	@OPENPROFILES_TEST_FORM=long $(BIN)/python scripts/run_tests.py

check: $(INSTALLED) ## lint, types, imports and the fast two thirds of the tests, while you edit
	@$(BIN)/python scripts/run_tests.py tests/unit tests/store tests/wire

# On Debian, as root. On other systems, install Chromium and set OPENPROFILES_CHROMIUM to its path. The headless build needs
# a fifth of the processor time.
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
test-setup: ## install Chromium, for the tests of the console
	@if [ -n "$$OPENPROFILES_CHROMIUM" ] || command -v chromium-headless-shell >/dev/null; then \
		echo "Chromium is installed."; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		{ apt-get update -qq && $(APT_INSTALL) chromium-headless-shell; } || command -v chromium || $(APT_INSTALL) chromium; \
	elif command -v chromium >/dev/null; then \
		echo "Chromium is installed. If you install chromium-headless-shell, the tests of the console take less time."; \
	else \
		echo "Chromium is not installed, so the tests of the console are skipped. Install chromium-headless-shell or"; \
		echo "chromium, or set OPENPROFILES_CHROMIUM to the path of the program."; \
	fi

serve: $(INSTALLED) ## run a server on ./openprofiles-data, at http://127.0.0.1:8420
	$(BIN)/openprofiles serve

format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(INSTALLED) ## check the format of the code, likely mistakes, and plain English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/check_words.py

types: $(INSTALLED) ## check the types
	$(BIN)/mypy

imports: $(INSTALLED) ## check imports against the boundaries in ARCHITECTURE.md
	$(BIN)/lint-imports

example: $(INSTALLED) ## write examples/customers.csv, docs/cli.md, docs/openapi.yaml and parts of docs/growing.md again
	$(BIN)/python scripts/make_example.py
	$(BIN)/python scripts/make_cli_page.py
	$(BIN)/python scripts/make_growing_page.py
	$(BIN)/python scripts/generate_openapi.py

screenshot: $(INSTALLED) ## update the screenshot of the console in README.md
	$(BIN)/python scripts/make_screenshot.py

# Takes about 15 minutes. BENCH="--only loads" selects a part, BENCH="--against main" compares, BENCH=--full updates the README.
bench: $(INSTALLED) $(YARDSTICKS_INSTALLED) ## measure loads, the API and the console; see benchmarks/README.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks --folder benchmarks/.work --yardstick-python $(YARDSTICKS)/bin/python $(BENCH)

# The AWS SDK for JavaScript, which one test uses. If npm is missing or cannot reach its registry, that test is skipped with
# a message.
$(JS_INSTALLED): tests/acceptance/js/package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --prefix tests/acceptance/js --no-audit --no-fund --loglevel=error && touch $@ \
			|| echo "The AWS SDK for JavaScript could not be installed, so its test is skipped."; \
	else echo "npm is not installed, so the test with the AWS SDK for JavaScript is skipped."; fi

wheel: $(INSTALLED) ## make dist: the wheel, the packages that it needs, and a systemd unit
	$(BIN)/python scripts/make_wheel.py

# Needs uv. Keeps the locked versions unless pyproject.toml requires newer ones.
lock: ## update all requirements.lock from pyproject.toml
	echo 'setuptools>=77' | uv pip compile pyproject.toml - --group dev --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock
	echo 'setuptools>=77' | uv pip compile pyproject.toml - --extra server --extra postgresql --extra s3 --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file deploy/requirements.lock
	uv pip compile --group bench --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file benchmarks/requirements.lock

# Installs only packages that requirements.lock lists with a hash, including setuptools.
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
