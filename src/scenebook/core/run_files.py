"""Names of a run's files, relative to its folder. The first folder is the stage that writes the file,
but for those of `OF_TRUST`."""

from __future__ import annotations

MANIFEST = "manifest.json"
SETTINGS = "settings.yaml"
SESSIONS = "log/cells-{}.json"
"""What was run in a session by hand; the session's name goes into the braces."""

ABSENT = "absent"
"""In place of the digest of a file that is not there."""

CLASSES = "data/classes.json"
SPLITS = "data/splits.csv"
IMAGES = "data/images.npy"
IMAGES_RECORD = "data/images.json"
"""What the stored images were made from."""
MEASURES = "data/measures.csv"

RECIPE = "training/recipe.json"
RECIPE_SOURCE = "training/recipe.py"
HISTORY = "training/history.csv"
CHECKPOINT = "training/checkpoint.npz"
FINISHED_FIT = "training/fit.json"
"""What a training was made from that has ended; without this file it is done again."""
MODEL = "training/model.keras"
SUMMARY = "training/summary.json"
TEST_PREDICTIONS = "training/test_predictions.csv"
OTHER_SEEDS = "training/other-seeds.json"
CROSS_VALIDATION = "training/cross_validation.json"
FEATURES = "training/features.npz"
RANDOM_FEATURES = "training/random_features.npz"
"""The same of the backbone with random weights; not in a run whose weights are random anyway."""
RENORMALISED_FEATURES = "training/renormalised_features.npz"
"""The same of it once more, its batch normalisation estimated on training images."""
PRETRAINED = "training/pretrained.npz"

METRICS = "evaluation/metrics.json"
PER_CLASS = "evaluation/per_class.json"
PREDICTIONS = "evaluation/predictions.csv"
CONFUSION_MATRIX = "evaluation/confusion_matrix.csv"
CLASSIFICATION_REPORT = "evaluation/classification_report.csv"
BASELINES = "evaluation/baselines.json"

SAMPLES = "samples/rows.csv"
SELECTION = "samples/selection.csv"
ERROR_MAPS = "samples/error_maps.npz"

OF_TRUST = (
    *("evaluation/calibration.json", "evaluation/reliability.csv", "evaluation/coverage.csv"),
    *("evaluation/label_issues.csv", "evaluation/label_issues.json"),
    *("evaluation/projection.csv", "evaluation/projection.json"),
)
"""What the appendix finds out, beside the results that it is about."""

STUDY_RECORDS = "ablations/runs"
"""A folder: one JSON file a training of a study."""
STUDY_RESULTS = "ablations/results.csv"
STUDY_VERDICTS = "ablations/verdicts.json"

JUDGED_CLAIMS = "conclusion/claims.json"
FIELDS = "conclusion/fields.json"
"""What Markdown of the last notebook may name: values, with where each comes from, and sentences."""

MODEL_CARD = "model-card.md"
"""In a bundle, and beside an exported network."""
EXPORTS = "export"
OF_COMMANDS = ("predictions", EXPORTS)
"""Folders that commands on a finished run write: they are no stage's, and no manifest lists them."""

REPORT_FORMATS, DEFAULT_FORMATS = ("html", "pdf", "docx"), ("html", "pdf")
"""What a report can be rendered as, `report.<format>` each, and what it is unless somebody asks for others."""

EXPORT_FORMATS = ("onnx", "tflite", "openvino", "savedmodel", "keras")
DEFAULT_EXPORTS = ("tflite", "savedmodel", "keras")
"""What a network can be exported as, and what of it needs nothing more to be installed."""
