"""Drawn scenes: six classes of small naive landscapes, from a seed and nothing else."""
