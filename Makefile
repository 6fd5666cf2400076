# build: a virtual environment with mta in it.  run: mta in the foreground on the default configuration.
# test: everything.  lint, bench, fuzz: what they say.
# the first interpreter that runs, is new enough and can make virtual environments
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
PEERS := exim4-daemon-heavy exim4-base exim4-config swaks nsd unbound opendkim-tools openssl strace fail2ban clamav-daemon \
	spamd rspamd \
	redis-server postgresql mariadb-server slapd libldap-dev libsasl2-dev
# two cores: two test processes; serial where a test says so
PYTEST_FLAGS ?= -q -n 2 --dist loadgroup

.PHONY: build run test lint bench fuzz packages dev clean

build: $(BIN)/.built

$(BIN)/.built: pyproject.toml setup.py $(wildcard _speedups/*.pyx)
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or later with venv found: apt-get install python3 python3-venv python3-dev gcc"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=23" "setuptools>=77" "Cython>=3.1"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable . --no-build-isolation --config-settings editable_mode=compat
	@$(BIN)/python -m compileall -q mta
	@touch $@
	@echo "built: $(BIN)/mta and $(BIN)/mtactl"

run: build
	@$(BIN)/python etc/run.py

dev: $(BIN)/.dev

$(BIN)/.dev: $(BIN)/.built
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,redis,pgsql,mysql,lmdb]" --no-build-isolation \
		--config-settings editable_mode=compat
	@# built against libldap's headers: the package libldap-dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[ldap]" --no-build-isolation --config-settings editable_mode=compat || \
		echo "*** python-ldap could not be built: the tests of LDAP will be skipped"
	@touch $@

packages:
	@sh tests/packages.sh $(PEERS)

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint --max-line-length 120 _speedups

test: packages dev lint
	MTA_SPEEDUPS=c $(BIN)/python -m pytest $(PYTEST_FLAGS)

fuzz: dev
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(BIN)/python -m pytest -q --timeout 0 tests/fuzz

bench: packages dev
	$(BIN)/python -m bench

clean:
	rm -rf .venv build *.egg-info mta/wire/_*.so
