"""Water with polarizabilities, a model of it, and rotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation


@pytest.fixture(scope="session")
def _water():
    from helpers import load_frames
    from helpers.sagpr.tensors import read_tensors

    frames = load_frames("water", "train", 200)
    return frames, read_tensors(frames), np.array([atoms.info["trajectory"] for atoms in frames])


@pytest.fixture
def water(_water):
    """Frames (fresh copies), tensors (Å³) and trajectories of the 200 labeled frames."""
    frames, tensors, trajectories = _water
    return [atoms.copy() for atoms in frames], tensors.copy(), trajectories


@pytest.fixture(scope="session")
def model(_water):
    """The default model, trained on the first 50 frames."""
    from helpers import SymmetryAdaptedKernelRidge

    frames, tensors, _ = _water
    return SymmetryAdaptedKernelRidge().fit(frames[:50], tensors[:50])


@pytest.fixture(scope="session")
def rotation():
    """A rotation about no axis in particular."""
    return Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()


@pytest.fixture
def turned(rotation):
    """A function: the same atoms, turned together with their cell."""

    def turn(atoms, matrix=None):
        matrix = rotation if matrix is None else matrix
        copy = atoms.copy()
        copy.set_cell(atoms.cell.array @ matrix.T)
        copy.positions = atoms.positions @ matrix.T
        return copy

    return turn
