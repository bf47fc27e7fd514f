"""A bench: page and table."""
