"""Sweeps: a grid of settings and training-set sizes → one tidy table."""
