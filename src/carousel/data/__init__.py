"""Sources, splits, scaling and batches."""
