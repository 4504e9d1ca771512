"""Runtimes: one module for each real one, all with the verbs export, load, measure and inspect."""
