"""Symmetry-adapted Gaussian process regression of polarizabilities."""
