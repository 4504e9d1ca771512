"""Operators of the family constexpr: to be written."""
