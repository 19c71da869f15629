"""Measurements of a network during and after training, and findings in words."""
