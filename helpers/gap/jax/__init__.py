"""A GAP evaluated with JAX: mathematics only, pure functions of a `GapModel` and positions."""
