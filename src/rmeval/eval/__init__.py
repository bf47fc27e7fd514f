"""Scoring suites: suites, scorers, the engine, metrics."""
