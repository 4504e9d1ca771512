"""Operators of the family classify: to be written."""
