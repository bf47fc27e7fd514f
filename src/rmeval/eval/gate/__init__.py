"""The gate: rules, verdicts, and the check that CI calls."""
