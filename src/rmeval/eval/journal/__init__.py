"""Scores kept on disk, whatever happens to the process: asked or computed once."""
