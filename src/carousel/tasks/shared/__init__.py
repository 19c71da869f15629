"""Code that several mappings share."""
