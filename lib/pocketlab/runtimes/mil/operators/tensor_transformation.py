"""Operators of the family tensor_transformation: to be written."""
