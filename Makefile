# `make demo` and `make test` set up a virtual environment by themselves.
PYTHON ?= python3
VENV ?= .venv
# For instance PIP_ARGS="--index-url https://download.pytorch.org/whl/cpu --extra-index-url https://pypi.org/simple"
PIP_ARGS ?=
# Processes of `make test`; each wants a core and 2 GB.
WORKERS ?= 2
CONSTRAINTS ?= -c constraints.txt
BIN := $(VENV)/bin

.PHONY: demo test check reference docs wheel wheel-alone device again fuzz faults soak soak-short live page pictures fuzz-hour bench clean

demo: $(VENV)/.installed  ## run the built-in scene, as it plays (40 s)
	$(BIN)/python run_stream.py --source demo --pace

test: $(VENV)/.installed-dev  ## the tests that need no device, GPU, network or real time
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(VENV)/.installed-dev  ## format, lint, types and the room plan
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

reference: $(VENV)/.installed-dev  ## write the pages of docs/reference that come from the code
	$(BIN)/python .ci/reference.py

docs: $(VENV)/.installed-dev  ## the documents as a site in build/site, strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(VENV)/.installed-dev  ## build the wheel, try it in an empty folder with the libraries of .venv
	$(BIN)/python .ci/wheel.py --libraries-of $(VENV)

wheel-alone: $(VENV)/.installed-dev  ## the same in an empty environment, all libraries installed anew: many minutes with CUDA's
	$(BIN)/python .ci/wheel.py $(PIP_ARGS)

device: $(VENV)/.installed-dev  ## the real microphone path, live streams on loopback; wants what .ci/run installs
	$(BIN)/python -m pytest -m device

again: $(VENV)/.installed-dev  ## what failed last of the tests MARK: work of others disturbs what has time limits
	$(BIN)/python -m pytest -m "$(MARK)" --last-failed --last-failed-no-failures none

fuzz: $(VENV)/.installed-dev  ## bad input of all kinds: it works or is one sentence
	$(BIN)/python -m pytest -m fuzz -n $(WORKERS) --dist loadfile tests/fuzz

faults: $(VENV)/.installed-dev  ## break a live stream in all ways; writes the table of docs/reference/faults.md
	$(BIN)/python -m pytest tests/faults --reliability docs/reference/faults.md

soak-short: $(VENV)/.installed-dev  ## the long tests, with ten minutes of stream: what is bounded stays so
	$(BIN)/python -m pytest -m soak

soak: $(VENV)/.installed-dev  ## a day of stream, as fast as it goes: some two and a half hours; goes on where it was
	$(BIN)/python tests/faults/soak_day.py

live: $(VENV)/.installed-dev  ## an hour of the real live path (LIVE_S), real devices on loopback; prints a table
	LIVE_S=$${LIVE_S:-3600} $(BIN)/python -m pytest -m device tests/integration/test_live_path.py -s

page: $(VENV)/.installed-dev  ## the page in Chromium; screenshots of it go to SHOTS
	mkdir -p $(or $(SHOTS),shots)
	SHOTS=$(or $(SHOTS),shots) $(BIN)/python -m pytest -m device tests/integration/test_web_browser.py \
		tests/integration/test_explain_browser.py tests/integration/test_teach_browser.py

fuzz-hour: $(VENV)/.installed-dev  ## pickles, weights, archives, wire, subscriptions: six minutes each
	FUZZ_S=$${FUZZ_S:-360} $(BIN)/python -m pytest -m fuzz -s tests/fuzz/test_fuzz_weights.py tests/fuzz/test_fuzz_wire.py \
		tests/fuzz/test_fuzz_subscriptions.py

pictures: $(VENV)/.installed-dev  ## the pictures of README, from a real run
	$(BIN)/python .ci/pictures.py

bench: $(VENV)/.installed  ## real-time factor, latency, drops
	$(BIN)/python benchmarks/bench_end_to_end.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V); say make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) $(CONSTRAINTS) -e .
	@$(BIN)/python -m pip install --quiet $(PIP_ARGS) $(CONSTRAINTS) --only-binary openvino -e '.[openvino]' || \
		echo "OpenVINO has no wheel for this machine: torch alone runs the trunks, which is slower on a CPU."
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) $(CONSTRAINTS) -e . -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
