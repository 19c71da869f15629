"""A recording or a sound to a class."""
