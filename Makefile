# onstudy: two commands matter, `make demo` and `make test`. Everything is put into this folder:
# Python packages into .venv, npm packages into node_modules. Only `make system` touches the machine.

SHELL := /bin/bash
PYTHON ?= python3
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet -c constraints.txt
LOCK := pyproject.toml constraints.txt

# Which of browser, java, postgres must not be missing: a name, several, or all (make test REQUIRE=all).
REQUIRE ?=
# Further arguments for pytest: make test ARGS="-k quantity"
ARGS ?=

.PHONY: demo serve test test-generative check install system bench docs

demo: .venv/.core
	scripts/demo.sh

# The web site on this machine; another port: make serve PORT=8080
PORT ?= 8000
serve: .venv/.run
	.venv/bin/onstudy serve --port $(PORT)

test: .venv/.dev node_modules/.installed
	ONSTUDY_REQUIRE="$(REQUIRE)" .venv/bin/python -m pytest -n 2 --dist loadgroup $(ARGS)

# The same tests of properties, with thousands of new cases instead of a hundred known ones.
test-generative: .venv/.dev
	.venv/bin/python -m pytest -m generative --hypothesis-profile=long -n 2 --dist loadgroup $(ARGS)

check: .venv/.dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/house

install: .venv/.run

bench: .venv/.dev
	.venv/bin/python -m benchmarks

docs: .venv/.core
	.venv/bin/python -m onstudy.record.catalogue_file
	.venv/bin/python -m onstudy.language.grammar
	.venv/bin/python -m onstudy.record.kinds_page > docs/kinds.md.new
	mv docs/kinds.md.new docs/kinds.md

# The environment. A stamp is touched last, so an install that was cut short is taken up again.

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "onstudy needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python could not make .venv; on Debian: make system (as root)" >&2; exit 1; }
	@touch $@

.venv/.core: .venv/.made $(LOCK)
	$(PIP) -e .
	@touch $@

.venv/.run: .venv/.core
	$(PIP) -e ".[fhir,web,postgres,spark]"
	@touch $@

.venv/.dev: .venv/.core
	$(PIP) -e ".[dev,fhir,web,postgres,spark]"
	@touch $@

# Without npm, or without its registry, the browser tests are skipped and named: see tests/conftest.py.
node_modules/.installed: package.json
	@if command -v npm >/dev/null; then \
	  npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@ || \
	  echo "npm could not install axe-core: browser tests will not run" >&2; \
	else echo "npm is not installed: browser tests will not run" >&2; fi

# What Debian provides, only where it is missing: browser, Java, PostgreSQL, npm, Python's venv.
system:
	@$(SYSTEM)

define SYSTEM
set -eu; missing=""; \
command -v chromium >/dev/null || missing="$$missing chromium"; \
java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])' || missing="$$missing openjdk-17-jre-headless"; \
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
command -v node >/dev/null || missing="$$missing nodejs"; \
command -v npm >/dev/null || missing="$$missing npm"; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3 python3-venv"; \
if [ -z "$$missing" ]; then echo "make system: nothing is missing"; exit 0; fi; \
if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
  echo "make system: missing$$missing; it installs them on Debian as root" >&2; exit 1; fi; \
echo "make system: installing$$missing"; \
export DEBIAN_FRONTEND=noninteractive; \
apt-get -qq update; \
apt-cache show openjdk-17-jre-headless >/dev/null 2>&1 || \
  missing="$${missing/openjdk-17-jre-headless/default-jre-headless}"; \
apt-get -qq -y install --no-install-recommends $$missing
endef
