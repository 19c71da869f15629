"""An image to a sentence."""
