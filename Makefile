# `make workshop` runs the workshop, `make test` the tests; `make help` lists the rest.
#
# PYTHON=python3.12    make the virtual environment with this interpreter
# PYTEST_ARGS='-k gap' pass options to pytest
# RUN='--accurate'     options of `mlmd run` for make workshop
# ASSIGNMENT=01_first_look  the lesson to release or to grade
# LESSON=02_train_gap   the lesson for the projector (make slides); all without it
# GRADE_ARGS='--jobs 4' pass options to the grading
# STUDENTS=1           make an offline kit without solutions

VENV := .venv
BIN  := $(VENV)/bin
PY   := $(BIN)/python
WORKERS := -n 2 --dist loadgroup --max-worker-restart=0

# Nothing is activated, but what we start may start commands of the environment
# in its turn (nbgrader starts alembic).
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHON
# JupyterLab does not ask for news, which need the network, nor for nbgrader's exchange.
export JUPYTER_CONFIG_PATH := $(CURDIR)/tools/jupyter

.DEFAULT_GOAL := help
.PHONY: help setup workshop test quick lab docs notebooks slides release grade desk lint figure lock offline clean

help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.ready ## build .venv, or bring it up to date

# The stamp is the last thing that the set-up writes.
$(VENV)/.ready: requirements.lock pyproject.toml
	@bash tools/setup.sh $(VENV)

workshop: setup ## run the whole workshop, four minutes; the report is results/report.html
	$(BIN)/mlmd run $(RUN)

test: setup ## run the tests
	$(PY) -m pytest $(WORKERS) $(PYTEST_ARGS)

quick: setup ## run the tests of every room that are not slow: two minutes
	$(PY) -m pytest $(WORKERS) -m "not slow and not long" $(PYTEST_ARGS)

lab: setup ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab notebooks

docs: setup ## build the site of the course, site/index.html, to be read without a network
	$(PY) docs/site/build.py

notebooks: setup ## build solutions/ and notebooks/ from the lessons' sources
	$(PY) -m helpers.grading.build

slides: setup ## write slides/: solutions and discussions without tests, for the projector
	$(PY) -m helpers.grading.slides $(LESSON)

release: setup ## enter a lesson in the gradebook: ASSIGNMENT=01_first_look
	@$(PY) -m helpers.grading.grades release $(ASSIGNMENT)

grade: setup ## grade what was handed in: ASSIGNMENT=01_first_look
	@$(PY) -m helpers.grading.grades grade $(ASSIGNMENT) $(GRADE_ARGS)

desk: setup ## open JupyterLab for marking: Nbgrader, Formgrader
	$(PY) -m jupyterlab

lint: setup ## check style, types, and that notebooks hold no output
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy helpers
	@find notebooks solutions -name '*.ipynb' ! -name '*.before-*' -exec $(PY) -m nbstripout --verify --keep-id {} +

figure: setup ## draw the figure of the README again
	$(PY) tools/readme_figure.py

lock: ## renew requirements.lock with the newest versions
	@bash tools/lock.sh

offline: offline-dest setup ## make a kit that installs without a network: DEST=folder [STUDENTS=1]
	@PYTHON="$(PY)" bash tools/offline.sh make

.PHONY: offline-dest
offline-dest:
	@bash tools/offline.sh check

clean: ## remove .venv, results and caches
	rm -rf $(VENV) results site slides .site_cache *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
