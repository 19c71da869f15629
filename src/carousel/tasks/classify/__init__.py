"""An image, step by step, to a class."""
