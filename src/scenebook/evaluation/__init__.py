"""Scores with intervals, baselines, claims, attribution, sample images, projection."""
