"""A sentence to a class."""
