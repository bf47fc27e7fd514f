"""From scores to numbers: credits, intervals, tests, ranks, comparisons."""
