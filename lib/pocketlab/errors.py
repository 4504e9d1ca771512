"""The errors that Pocketlab raises on purpose. Their messages are sentences for the person at the keyboard."""


class PocketlabError(Exception):
    """Something that Pocketlab was asked to do cannot be done; the message says what to try."""


class ModelFileError(PocketlabError, ValueError):
    """A model file is missing, damaged, or not of the format that its name promises."""


class UnavailableError(PocketlabError):
    """A runtime or tool is not on this machine; the message says what is lost and how to get it."""


class UnsupportedOperatorError(PocketlabError):
    """A program uses an operator that nothing here can compute; the message names it, its output and its place."""
