"""Operators of the family linear: to be written."""
