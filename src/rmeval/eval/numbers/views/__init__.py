"""Further views of a run's scores, beside the numbers that its suite defines."""
