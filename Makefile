# The front door. Which stage runs and why is decided in Python (src/scenebook/pipeline/), not here.
#
#   make report PROFILE=paper DATA="my images" WEIGHTS=file SET="epochs=2 max_per_class=40" RUN=name
#
# Values reach Python through the environment and are never spliced into a shell line, so a folder's name may hold
# spaces, quotes and dollar signs. `value` keeps make from expanding what it finds in them. They count where they are
# typed: a DATA that the shell has exported for other programs does not.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VARIABLES := PROFILE DATA WEIGHTS SET RUN FORMATS IMAGES SCHEDULER FORCE PLAN TIME_LIMIT TRUST PORT A B
given = $(if $(filter environment%,$(origin $(1))),,$(value $(1)))
$(foreach name,$(VARIABLES),$(if $(filter environment%,$(origin $(name))),\
	$(info note: $(name) of the environment does not count. Type it behind make: make report $(name)=...)))
$(foreach name,$(VARIABLES),$(eval export SCENEBOOK_$(name) := $$(call given,$(name))))
unexport $(VARIABLES)
# What the shell has set for other programs does not decide what is installed, or by which interpreter.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_DEPS PIP_DRY_RUN PIP_CONSTRAINT PIP_REQUIREMENT
unexport PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# What lies on PYTHONPATH counts for pip as installed.
PIP := PYTHONPATH= $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help setup setup-dev setup-openvino setup-onnx setup-heif report run ablations explain verify diff render bundle predict export serve params lab test numeric browser hostile scale faults whole cluster bench bench-sizes bench-peers bench-test lint types check format publish sample lock clean

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp is newer than the lock file it was made from; both are made again when the lock file changes.
$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Expected Python 3.11 to 3.13. Received: %d.%d. Name another with PYTHON=python3.12." % v)'
	@echo "Installing into $(VENV): about 700 MB to download, once."
	$(PYTHON) -I -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.installed ## make .venv with the pinned packages (the other targets do this by themselves)
setup-dev: $(VENV)/.installed-dev ## the same, with what tests and checks need
setup-openvino: $(VENV)/.installed ## add OpenVINO, for runs with SET="frozen_layers_runtime=openvino": faster on a CPU
	$(PIP) --require-hashes -r requirements-openvino.txt
setup-onnx: $(VENV)/.installed ## add what `make export FORMATS=onnx` needs
	$(PIP) --require-hashes -r requirements-onnx.txt
setup-heif: $(VENV)/.installed ## add pillow-heif, with which images in HEIC are read
	$(PIP) --require-hashes -r requirements-heif.txt

report: setup ## run what has changed and render report/build/<run>/report.html and report.pdf; FORMATS="html pdf docx": Word, too
	@$(PY) -m scenebook report
run: setup ## run what has changed, without rendering
	@$(PY) -m scenebook run
ablations: setup ## train variants of the recipe of RUN on all cores, and render its report; PLAN=backbones, recipe-ablations or a file
	@$(PY) -m scenebook ablations
explain: setup ## tell of each stage whether it would run, and why
	@$(PY) -m scenebook explain
verify: setup ## check the files of RUN, make it again in a fresh folder, and compare
	@$(PY) -m scenebook verify
diff: setup ## show the runs A and B side by side: settings, data, code, scores
	@$(PY) -m scenebook diff
render: setup ## render the report of RUN again
	@$(PY) -m scenebook render
bundle: setup ## zip the report of RUN with its weights, model card, sample images and settings
	@$(PY) -m scenebook bundle
predict: setup ## classify the unlabelled images of the folder IMAGES with the finished run RUN
	@$(PY) -m scenebook predict
export: setup ## write the network of RUN for other programs: FORMATS="onnx tflite openvino savedmodel keras"
	@$(PY) -m scenebook export
serve: setup ## show a page, on this machine only, on which RUN classifies the images that are dropped on it
	@$(PY) -m scenebook serve
params: setup ## list all settings with default, bounds and meaning
	@$(PY) -m scenebook params
lab: setup ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

test: setup-dev ## run all tests but the slow ones and those in a browser
	@$(PY) -m pytest -m "not slow and not browser"
numeric: setup-dev ## run only the tests of what computes with TensorFlow
	@$(PY) -m pytest -m "not slow" tests/unit/network tests/unit/study tests/unit/evaluation/attribution tests/unit/inference \
		--ignore=tests/unit/network/recipe/test_digests.py --ignore=tests/unit/network/recipe/test_edits.py \
		--ignore=tests/unit/network/recipe/test_reuse.py
browser: setup-dev ## look at the page in Chromium; skips where there is none
	@$(PY) -m pytest tests/browser --numprocesses=0
hostile: setup-dev ## put many more texts from nowhere into reports (minutes)
	@SCENEBOOK_HOSTILE_EXAMPLES=60 $(PY) -m pytest tests/unit/rendering/test_hostile.py --numprocesses=2 --dist=load
whole: setup-dev ## make whole runs (the sample report, by hand, odd names), and trainings as Keras makes them
	@$(PY) -m pytest -m slow tests/whole
scale: setup-dev ## time the data notebook on 100,000 images of its own making
	@$(PY) -m pytest -o addopts="" -s -q -m slow tests/slow/test_scale.py
faults: setup-dev ## break runs in every way, kill a training 20 times, and see that nothing is lost (minutes)
	@$(PY) -m pytest -o addopts="" -s -q -m slow tests/slow/test_faults.py
cluster: setup-dev ## try a whole study, and a dask scheduler and workers that were started as commands of their own
	@$(PY) -m pytest -o addopts="" -q -m slow tests/slow/test_study.py tests/slow/test_cluster.py
bench: setup ## measure whole jobs and trainings side by side with plain Keras, and write benchmarks/results.json (minutes)
	@$(PY) -m benchmarks
bench-sizes: setup ## time the stages of a report with 250 to 4,000 images, and write benchmarks/sizes.json (minutes)
	@$(PY) -m benchmarks.sizes
bench-peers: ## train with fastai on the images of DATA: PEERS_PYTHON=interpreter where fastai is installed
	@test -n "$(DATA)" -a -n "$(PEERS_PYTHON)" || { echo "Expected DATA=folder and PEERS_PYTHON=interpreter."; exit 2; }
	@"$(PEERS_PYTHON)" benchmarks/peers.py "$(DATA)"
bench-test: setup-dev ## try the benchmark's command on a few images
	@$(PY) -m pytest -o addopts="" -q -m slow tests/unit/test_benchmarks.py
lint: setup-dev ## check style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
types: setup-dev ## check types
	@$(BIN)/mypy
check: lint types test ## lint, types and tests
format: setup-dev ## format the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
publish: setup ## note the cells of the notebooks as the published ones: a report names those that differ
	@$(PY) -m scenebook.core.published_cells
sample: setup ## make docs/sample anew from the sample profile, with the variants that test a claim (needs poppler)
	@command -v pdftoppm > /dev/null || { echo "Expected pdftoppm, which draws the first page. Install poppler (poppler-utils)."; exit 2; }
	@SCENEBOOK_PROFILE=sample SCENEBOOK_RUN=sample SCENEBOOK_DATA= SCENEBOOK_WEIGHTS= SCENEBOOK_SCHEDULER= \
		SCENEBOOK_SET="ablations=claims" $(PY) -m scenebook report
	@mkdir -p docs/sample && cp report/build/sample/report.html report/build/sample/report.pdf docs/sample/
	@pdftoppm -r 110 -png -singlefile -f 1 -l 1 docs/sample/report.pdf docs/sample/first-page
	@$(PY) -m scenebook.rendering.preview sample docs/sample/notebooks
lock: setup-dev ## pin all requirements anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra build $(LOCK_FLAGS) -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --extra build --extra dev -c requirements.txt $(LOCK_FLAGS) -o requirements-dev.txt
	@for extra in openvino onnx heif; do \
		$(PY) -c "import sys, tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')" $$extra \
			| $(BIN)/uv pip compile - -c requirements-dev.txt $(LOCK_FLAGS) -o requirements-$$extra.txt || exit 1; done
clean: ## remove all runs and rendered reports (not .venv)
	rm -rf runs report/build

LOCK_FLAGS := --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
