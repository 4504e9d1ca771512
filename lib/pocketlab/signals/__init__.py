"""Signals of a phone's sensors: motion, position, sound and camera frames, filtered and fused."""
