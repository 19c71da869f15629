"""Every frame of a recording to a label."""
