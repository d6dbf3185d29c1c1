"""Fixtures of the lab on coarse-graining: bodies, poses, 64-bit numbers."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.coarse_grained.bodies import from_beads, hexagon
from helpers.jax_setup import double_precision


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


@pytest.fixture(scope="session")
def hexagons():
    return hexagon()


@pytest.fixture(scope="session")
def wedge():
    """A body with three different moments of inertia and no symmetry."""
    return from_beads(
        "wedge", [[0, 0, 0], [1, 0, 0], [0, 1.5, 0], [0.2, 0.3, 0.8]], [3.0, 1.0, 2.0, 1.5]
    )


@pytest.fixture(scope="session")
def random_poses():
    """A function (n, spread, seed) → poses."""

    def poses(n, spread=1.0, seed=0):
        rng = np.random.default_rng(seed)
        q = rng.normal(size=(n, 4))
        return np.concatenate(
            [spread * rng.normal(size=(n, 3)), q / np.linalg.norm(q, axis=1, keepdims=True)], 1
        )

    return poses
