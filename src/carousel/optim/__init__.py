"""How gradients become weights: optimisers, schedules, penalties, clipping; one step of them."""
