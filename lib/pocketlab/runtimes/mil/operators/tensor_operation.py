"""Operators of the family tensor_operation: to be written."""
