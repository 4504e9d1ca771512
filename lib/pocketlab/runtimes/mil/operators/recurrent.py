"""Operators of the family recurrent: to be written."""
