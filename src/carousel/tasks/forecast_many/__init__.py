"""Many series to their next steps, by one network."""
