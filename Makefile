PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test soak lint bench lock published clean

demo: .venv/installed
	$(BIN)/nas run quickstart
	$(BIN)/nas report quickstart

test: .venv/installed .venv/browser
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Faults that take minutes; .ci/run leaves them out.
soak: .venv/installed
	$(BIN)/python -m pytest -m soak tests/soak -s -o timeout=3600

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# Each benchmark runs a peer and ours in turns and ends with one line of JSON.
bench: .venv/installed
	@for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python $$script || exit 1; done

lock: .venv/installed
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

# The report that the repository shows; its plotly.min.js is a file of its own, so that a new report
# adds only what has changed to the history.
published: .venv/installed
	$(BIN)/nas run quickstart
	$(BIN)/nas confirm quickstart --top 3 --seeds 5
	$(BIN)/nas report quickstart --output reports/published/quickstart

clean:
	rm -rf .venv nas-out

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/browser: .venv/installed
	$(BIN)/python tests/browser.py
	touch $@
