"""Which benchmark examples the training pairs contain."""
