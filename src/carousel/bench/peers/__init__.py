"""Who takes part in the benchmark, an adapter each."""
