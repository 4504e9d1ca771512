"""Compression: the same model in fewer bits."""
