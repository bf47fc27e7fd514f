"""Rows in, pairs and examples out."""
