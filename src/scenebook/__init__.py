"""scenebook: from a folder of labelled images to a reproducible transfer-learning report."""

__version__ = "0.2.0"
