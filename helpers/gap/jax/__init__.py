"""A GAP as pure JAX functions of positions, and the calculator and design matrix built on them."""
