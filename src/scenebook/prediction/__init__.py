"""Classifies a folder of unlabelled pictures with a finished run. TensorFlow is imported only when that begins."""

from __future__ import annotations

from scenebook.prediction.folder import open_images
from scenebook.prediction.run import Outcome, check_run, predict_folder

__all__ = ["Outcome", "check_run", "open_images", "predict_folder"]
