# Bookshelf: everything that is done more than once. `make` alone lists it.
#   PYTHON=python3.12 make setup    another interpreter for a new .venv

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
DECLARED := pyproject.toml setup.py constraints.txt

# Debian keeps venv in a package of its own: python3-venv, python3.12-venv.
VENV_PACKAGE := $(notdir $(PYTHON))-venv
define INSTALL_VENV
if ! command -v apt-get >/dev/null; then \
  echo "$(PYTHON) with venv and pip is needed: install it, or name another: make setup PYTHON=..." >&2; exit 1; \
elif [ "$$(id -u)" != 0 ]; then \
  echo "$(VENV_PACKAGE) is missing. Run this once: sudo apt-get install -y $(VENV_PACKAGE)" >&2; exit 1; \
else \
  echo "installing $(VENV_PACKAGE)"; \
  apt-get update -qq && \
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(VENV_PACKAGE) >/dev/null; \
fi
endef

# Tests start the program hundreds of times: compiled once, it starts in three quarters of the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test tools parts test-slow test-deploy faults explore lint format bench manifests messages docs pictures lock clean anew consul kafka

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(RUNTIME) ## make .venv with the bookshelf command in it

run: setup ## start the shelf: all services and the gateway; ARGS="--port 9000"
	@exec $(BIN)/bookshelf up $(ARGS)

# Much of the time is spent waiting, so there are more processes than two cores; each may have a broker of 1.5 GB.
ROOM = $(shell awk '/^MemAvailable/ { n = int($$2 / 1500000); print (n < 1 ? 1 : (n > 4 ? 4 : n)) }' /proc/meminfo 2>/dev/null || echo 2)
JOBS ?= $(if $(ARGS),0,$(ROOM))
test: $(DEV) ## run every test; ARGS="-k name" chooses, then in one process; JOBS=8 in so many
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --max-worker-restart 0 \
	  --override-ini faulthandler_exit_on_timeout=true $(ARGS)

tools: $(DEV) ## install what lint and tests run with

parts: $(DEV) ## fetch what tests need and no package of Python has: Kafka, Consul
	@PYTHONPATH=test $(BIN)/python -m support.downloads

# A whole run makes the table anew; ARGS="-k zombie" only those rows.
faults: $(DEV) ## do to the running system all that may go wrong; writes docs/faults.md
	@$(if $(ARGS),,rm -f docs/faults.json)
	@BOOKSHELF_CHAOS_ROUNDS=$${BOOKSHELF_CHAOS_ROUNDS:-3} BOOKSHELF_CHAOS_PAGE=docs/faults.md \
	  BOOKSHELF_TEST_REQUIRE=kafka,consul $(BIN)/python -m pytest test/chaos -m chaos --timeout 0 $(ARGS)

explore: $(DEV) ## every interleaving of rollouts with further faults, and of two rollouts; takes many minutes
	@$(BIN)/python -m pytest -s -m 'slow or not slow' --timeout 0 --override-ini faulthandler_timeout=0 \
	  test/unit/cluster/test_exploration.py $(ARGS)

test-slow: $(DEV) ## run what takes long: 1 GiB both ways through the gateway, benches, flows of pages in more windows
	@$(BIN)/python -m pytest -m slow $(or $(ARGS),test/manifests test/service test/system test/browser)

# A run of whole files writes what they took into docs/deployed.md: ARGS=test/deploy/test_swarm.py.
test-deploy: $(DEV) ## run what is deployed, on real Docker and Kubernetes; as root, for minutes
	@BOOKSHELF_DEPLOY_PAGE=$(if $(filter-out test/deploy/test_%.py,$(ARGS)),,docs/deployed.md) $(BIN)/python -m pytest -m deploy --timeout=1800 \
	  $(or $(ARGS),test/deploy)

lint: $(DEV) ## check style, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(DEV) ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

bench: $(DEV) ## measure; prints JSON; ARGS="--runs 5 posts" chooses
	@$(BIN)/python -m bench $(ARGS)

manifests: $(RUNTIME) ## write what names the services: docker-compose.yml, kube/, marathon/, tables
	@$(BIN)/python packaging/write_manifests.py

messages: $(RUNTIME) ## write the catalogues of the pages: new texts in, unused ones out
	@$(BIN)/python packaging/write_messages.py

docs: $(RUNTIME) ## write docs/asyncapi.json, docs/schemas/ and docs/processes.md from the code
	@$(BIN)/python packaging/write_docs.py

pictures: $(DEV) ## make the pictures of the site in docs/pictures; look at each of them
	@$(BIN)/python packaging/make_pictures.py
	@$(BIN)/python packaging/make_shop_pictures.py
	@$(BIN)/python packaging/make_gallery_pictures.py

consul: $(DEV) ## start a real Consul agent in the foreground, on its usual ports
	@exec env PYTHONPATH=test $(BIN)/python -m support.consul

kafka: $(DEV) ## start a real Kafka broker in the foreground, on its usual port
	@exec env PYTHONPATH=test $(BIN)/python -m support.run_kafka

# The lowest Python is the one to lock on: what installs there installs on the later ones,
# and it needs every backport that the later ones leave out.
lock: ## pin the newest versions that fit, in constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "make lock needs Python 3.11, the lowest that is supported: PYTHON=python3.11 make lock" >&2; exit 1; }
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/python -m pip --quiet --disable-pip-version-check install --editable '.[dev]'
	@{ echo '# Made by `make lock`: every package, tested together on Python 3.11 to 3.13.'; \
	   .lock/bin/python -m pip freeze --exclude-editable; } > .lock/constraints.txt
	@mv .lock/constraints.txt constraints.txt && rm -rf .lock
	@echo "constraints.txt: $$(grep -c == constraints.txt) packages"

clean: ## remove .venv and all that tools have made
	@rm -rf $(VENV) .lock build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	@find bench bookshelf gateway packaging test -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the last thing that venv makes: without it .venv is only half there. And a .venv whose
# Python is gone, by an upgrade or because it was copied from elsewhere, is made anew.
$(BIN)/pip: $(shell test -x $(BIN)/python || echo anew)
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(INSTALL_VENV); fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) --version), and Bookshelf needs 3.11 or later: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): $(BIN)/pip $(DECLARED)
	@echo "installing bookshelf into $(VENV)"
	@$(PIP) --quiet uninstall --yes bookshelf  # the former name of this distribution; else another project's
	@$(PIP) install --editable . --constraint constraints.txt
	@touch $@

$(DEV): $(RUNTIME)
	@echo "installing the tools for tests, lint and benchmarks"
	@$(PIP) install --editable '.[dev]' --constraint constraints.txt
	@touch $@
