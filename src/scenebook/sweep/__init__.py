"""Many trainings at once, through dask.distributed; the only importer of it. No TensorFlow: workers import that."""

from scenebook.sweep.cluster import Cluster, open_cluster
from scenebook.sweep.fan_out import Outcome, run_tasks
from scenebook.sweep.progress import SweepProgress
from scenebook.sweep.study import list_pending, run_study

__all__ = ["Cluster", "Outcome", "SweepProgress", "list_pending", "open_cluster", "run_study", "run_tasks"]
