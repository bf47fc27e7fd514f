"""What is measured of a model: time, memory, roof, fidelity."""
