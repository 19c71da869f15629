"""A sentence to one of another language."""
