"""Devices: what phones and their accelerators can do."""
