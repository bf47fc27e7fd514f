"""Is a difference more than chance: tests, many of them at once, and how large a drop the data can detect."""
