"""What several mappings share."""
