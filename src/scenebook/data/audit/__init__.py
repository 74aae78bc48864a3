"""What is wrong with a data set. Nothing is dropped here, only reported."""
