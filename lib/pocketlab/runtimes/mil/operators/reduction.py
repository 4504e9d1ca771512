"""Operators of the family reduction: to be written."""
