"""Operators of the family pool: to be written."""
