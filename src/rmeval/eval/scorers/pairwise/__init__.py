"""Models that compare two answers at once: a file each."""
