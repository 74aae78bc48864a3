"""The recipe: how a notebook's cells prepare images, build a model and train it."""
