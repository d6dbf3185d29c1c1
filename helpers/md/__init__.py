"""Molecular dynamics with a trained potential: runs, and what they tell."""
