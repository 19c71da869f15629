"""Every word of a sentence to a label."""
