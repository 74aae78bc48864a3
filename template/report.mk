# What makes reports, the same in every project. Which stage runs and why is decided in Python, not here.
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

.PHONY: help setup setup-openvino setup-onnx setup-heif setup-cuda report run ablations explain verify diff diff-notebooks render bundle predict export serve params lab clean

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(lastword $(MAKEFILE_LIST)) $(firstword $(MAKEFILE_LIST))

# A stamp is newer than the lock file it was made from; both are made again when the lock file changes.
$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Expected Python 3.11 to 3.13. Received: %d.%d. Name another with PYTHON=python3.12." % v)'
	@echo "Installing into $(VENV): about 750 MB to download, once."
	$(PYTHON) -I -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.txt
	$(INSTALL_TOO)
	@touch $@

setup: $(VENV)/.installed ## make .venv with the pinned packages (the other targets do this by themselves)
setup-openvino: $(VENV)/.installed ## add OpenVINO, for runs with SET="frozen_layers_runtime=openvino": faster on a CPU
	$(PIP) --require-hashes -r requirements-openvino.txt
setup-onnx: $(VENV)/.installed ## add what `make export FORMATS=onnx` needs
	$(PIP) --require-hashes -r requirements-onnx.txt
setup-heif: $(VENV)/.installed ## add pillow-heif, with which images in HEIC are read
	$(PIP) --require-hashes -r requirements-heif.txt
setup-cuda: $(VENV)/.installed ## add what TensorFlow needs for NVIDIA's graphics cards, on Linux (3 GB)
	$(PIP) --require-hashes -r requirements-cuda.txt

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
diff-notebooks: setup ## show which cells of the notebooks differ from those that came with the package
	@$(PY) -m scenebook diff-notebooks
render: setup ## render the report of RUN again
	@$(PY) -m scenebook render
bundle: setup ## zip the report of RUN with its weights, model card, sample images and settings
	@$(PY) -m scenebook bundle
predict: setup ## classify unlabelled images with the finished run RUN: IMAGES=folder, list.csv or list.parquet; SCHEDULER=address
	@$(PY) -m scenebook predict
export: setup ## write the network of RUN for other programs: FORMATS="onnx tflite openvino savedmodel keras"
	@$(PY) -m scenebook export
serve: setup ## show a page, on this machine only, on which RUN classifies the images that are dropped on it
	@$(PY) -m scenebook serve
params: setup ## list all settings with default, bounds and meaning
	@$(PY) -m scenebook params
lab: setup ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks
clean: ## remove all runs and rendered reports (not .venv)
	rm -rf runs report/build
