"""A prepared mixture: page and ledger."""
