"""Operators of the family control_flow: to be written."""
