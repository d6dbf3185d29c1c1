"""A run to turn and to play, in a notebook, without a network."""

from __future__ import annotations

import warnings
from typing import Any

from helpers.errors import MissingToolError
from helpers.md.trajectory import Trajectory

MOST_FRAMES = 200  # more make a notebook slow and large


def show_trajectory(run: Trajectory, *, n_frames: int = MOST_FRAMES) -> Any:
    """Return an interactive view of a run: a map of energy and temperature beside the atoms.

    A click on a point shows its frame; the slider plays the run. The widget is chemiscope's, and
    brings all it needs along: it works offline.

    Parameters
    ----------
    run : Trajectory
    n_frames : int
        How many frames are shown at most, evenly spread.

    Raises
    ------
    MissingToolError
        If chemiscope is not installed.
    """
    try:
        import chemiscope
    except ImportError as error:
        raise MissingToolError(
            "chemiscope is not installed", fix="pip install chemiscope"
        ) from error
    every = max(1, -(-len(run.times_fs) // n_frames))
    frames = run.frames(every)
    for atoms in frames:
        atoms.wrap()
        atoms.info = {}
    log = run.log().iloc[::every]
    names = {
        "time": ("time_fs", "fs", "since the start"),
        "temperature": ("temperature_K", "K", "kinetic temperature"),
        "potential energy": ("potential_eV", "eV", "of the cell, relative to the start"),
        "total energy": ("total_eV", "eV", "of the cell, relative to the start"),
    }
    properties = {
        name: {
            "target": "structure",
            "values": (log[column] - (log[column].iloc[0] if unit == "eV" else 0)).to_numpy(),
            "units": unit,
            "description": meaning,
        }
        for name, (column, unit, meaning) in names.items()
    }
    settings = {
        "map": {"x": {"property": "time"}, "y": {"property": "temperature"}},
        "structure": [
            {"unitCell": bool(frames[0].pbc.any()), "keepOrientation": True, "playbackDelay": 100}
        ],
    }
    with warnings.catch_warnings():  # outside a notebook the widget is made, too, and can be saved
        warnings.filterwarnings("ignore", message="chemiscope.show only displays")
        return chemiscope.show(frames, properties=properties, settings=settings)
