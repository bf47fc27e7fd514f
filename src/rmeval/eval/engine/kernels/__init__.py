"""What a processor needs: attention, compiled layers, prepacked weights, memory."""
