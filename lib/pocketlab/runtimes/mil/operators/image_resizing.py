"""Operators of the family image_resizing: to be written."""
