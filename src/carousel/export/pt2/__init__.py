"""Networks as programs of torch.export: torch's own operators, so that torch alone loads them."""
