"""Several suites of one model: page and table."""
