"""Which pairs are held out, near-duplicates together."""
