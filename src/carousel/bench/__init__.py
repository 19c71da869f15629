"""Carousel's speed and memory against what a user would pick instead, measured in one run."""
