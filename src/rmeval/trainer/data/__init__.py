"""Which pairs train, in which order, as token ids."""
