"""Run Core ML programs on any system."""
