"""The training loop: model, arguments, devices, checkpoints, metrics."""
