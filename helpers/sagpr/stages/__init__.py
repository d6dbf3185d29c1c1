"""The four commands of the handout: power spectra → kernels → weights → predictions.

Each stage reads what the one before wrote, checks that it fits, and leaves files behind, so that a
script can skip stages that are done. Their arithmetic is that of `SymmetryAdaptedKernelRidge`.
"""
