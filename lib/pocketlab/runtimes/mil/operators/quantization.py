"""Operators of the family quantization: to be written."""
