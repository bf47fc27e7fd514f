"""A training: page."""
