"""Training and using one Gaussian approximation potential (GAP)."""
