"""What a build writes: pairs, ledger, statistics, data card."""
