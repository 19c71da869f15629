"""The mappings, one file each: what a batch is, how a model is judged, what it must beat."""
