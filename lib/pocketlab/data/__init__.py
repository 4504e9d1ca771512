"""Data: small real sets, simulators, and the networks that labs start from."""
