"""The sweep over batch sizes and dtypes, the machine's ceiling, and the fidelity check. Nothing is imported here."""
