"""A series to its next steps."""
