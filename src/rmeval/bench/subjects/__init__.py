"""What is timed: a model and the rows of its requests."""
