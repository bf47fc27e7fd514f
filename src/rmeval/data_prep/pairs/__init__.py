"""From a source's rows to its preference pairs, in parallel."""
