"""Operators of the family normalization: to be written."""
