"""Pocketlab: a course and lab environment for on-device AI.

Import the part you need, for example ``from pocketlab.course import Lab`` or ``from pocketlab.runtimes import litert``.
"""
