"""Variants of the recipe, trained on folds and compared; dask runs them side by side."""
