"""What a training leaves: the finished model, what it reaches, the record and the card."""
