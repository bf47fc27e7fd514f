"""Finding and loading a model folder: Hub, adapter, head, device, dtype."""
