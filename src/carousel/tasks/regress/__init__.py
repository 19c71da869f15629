"""Every step of a recording to a number."""
