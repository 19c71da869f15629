"""Contestants of the benchmark, one adapter each."""
