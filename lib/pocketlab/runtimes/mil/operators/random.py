"""Operators of the family random: to be written."""
