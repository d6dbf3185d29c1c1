"""Models of several shapes, fitted to a few frames: seconds each, and made when first asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

# name: (frames, settings)
SHAPES = {
    "pairs, zeta 2, 4/3": (10, {"n_max": 4, "l_max": 3, "zeta": 2, "n_sparse": 20}),
    "no pairs, zeta 4, 4/3": (6, {"n_max": 4, "l_max": 3, "n_sparse": 20, "two_body": None}),
    "no pairs, zeta 4, 6/4": (4, {"n_max": 6, "l_max": 4, "n_sparse": 20, "two_body": None}),
    "pairs, zeta 2, 8/6": (2, {"n_max": 8, "l_max": 6, "zeta": 2, "n_sparse": 20}),
}


@pytest.fixture(scope="session")
def model_of_shape(tmp_path_factory, _frames10):
    """A function: the path of the model with one of the names in `SHAPES`."""
    from helpers import GapConfig, fit_gap

    made: dict[str, Path] = {}

    def path_of(name: str) -> Path:
        if name not in made:
            n_frames, settings = SHAPES[name]
            config = GapConfig(cutoff=3.0, **settings)
            output = tmp_path_factory.mktemp("shape") / "gap.xml"
            made[name] = fit_gap(
                config, _frames10[:n_frames], output=output, progress=False
            ).model_path
        return made[name]

    return path_of
