"""Runs a scorer's model over many conversations."""
