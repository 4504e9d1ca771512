"""Operators of the family attention: to be written."""
