"""Optimisers, schedules, penalties, clipping, and one step of all of them."""
