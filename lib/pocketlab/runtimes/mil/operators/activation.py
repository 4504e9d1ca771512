"""Operators of the family activation: to be written."""
