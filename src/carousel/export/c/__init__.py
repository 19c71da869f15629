"""Plain C of a network: one source and one header without dependencies, and their test."""
