"""Operators of the family scatter_gather: to be written."""
