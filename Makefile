# The front door: `make help` lists all targets. Those that make reports stand in template/report.mk, which every project has.

# In a checkout, the package is the one that lies here.
INSTALL_TOO = $(PIP) --no-deps --no-build-isolation -e .

include template/report.mk

.PHONY: setup-dev test numeric browser hostile scale faults sizes whole alone cluster bench bench-sizes bench-peers bench-test lint types check format publish sample lock

$(VENV)/.installed: pyproject.toml

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

setup-dev: $(VENV)/.installed-dev ## the same, with what tests and checks need

test: setup-dev ## run all tests but the slow ones and those in a browser
	@$(PY) -m pytest -m "not slow and not browser"
numeric: setup-dev ## run only the tests of what computes with TensorFlow
	@$(PY) -m pytest -m "not slow" $(COMPUTING:%=tests/unit/%.py)
browser: setup-dev ## look at the page in Chromium; skips where there is none
	@$(PY) -m pytest tests/browser
hostile: setup-dev ## put many more texts from nowhere into reports (minutes)
	@SCENEBOOK_HOSTILE_EXAMPLES=60 $(PY) -m pytest tests/unit/rendering/test_hostile.py --numprocesses=2 --dist=load
whole: setup-dev ## make whole runs (the sample report, by hand, odd names), and trainings as Keras makes them
	@$(PY) -m pytest -m slow tests/whole
alone: setup-dev ## run each notebook alone in an empty folder, as from a mail (minutes)
	@SCENEBOOK_ALONE=all $(PY) -m pytest -m slow tests/whole/test_alone.py
scale: setup-dev ## make the quick report of 100,000 images of its own making, and print what each stage costs, and predictions of 1,000,000 paths
	@$(PY) -m pytest -o addopts="" -s -q -m slow tests/slow/test_scale.py tests/slow/test_shards.py
faults: setup-dev ## break runs in every way, kill a training 20 times, and see that nothing is lost (minutes)
	@$(PY) -m pytest -o addopts="" -s -q -m slow tests/slow/test_faults.py
sizes: setup-dev ## make whole runs on 30, 300 and 1,000 classes, and on classes of hardly any images (minutes)
	@$(PY) -m pytest -o addopts="" -s -q -m slow tests/slow/test_sizes.py
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
	@$(PY) docs/preview.py sample docs/sample/notebooks
lock: setup-dev ## pin all requirements anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra build --extra test $(LOCK_FLAGS) -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --extra build --extra test --extra dev -c requirements.txt $(LOCK_FLAGS) -o requirements-dev.txt
	@for extra in openvino onnx heif cuda; do \
		$(PY) -c "import sys, tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')" $$extra \
			| $(BIN)/uv pip compile - -c requirements-dev.txt $(LOCK_FLAGS) -o requirements-$$extra.txt || exit 1; done

COMPUTING := $(addprefix evaluation/attribution/test_,checks gradcam) inference/test_export network/frozen/test_cutting \
	$(addprefix network/test_,augmentation backbones batch_statistics efficientnet_lite feature_stream \
		inputs pretrained training) \
	$(addprefix network/recipe/test_,options repeating running)

LOCK_FLAGS := --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
