"""Run folders, read and never written: how each one stands, where they differ, which is better."""
