"""Is a difference more than chance: tests, many of them at once, and what the data could have shown."""
