"""Unsupervised: the steps of a series that are not as its beginning was."""
