"""A run to turn and to play, in a notebook or in the report, without a network."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import MissingToolError
from helpers.md.trajectory import Trajectory
from helpers.water import whole_molecules

MOST_FRAMES = 200  # more make a notebook slow and large
COLUMNS = {  # of a run's log: name in the view, unit, meaning
    "time_fs": ("time", "fs", "since the start"),
    "temperature_K": ("temperature", "K", "kinetic temperature"),
    "potential_eV": ("potential energy", "eV", "of the cell, relative to the start"),
    "total_eV": ("total energy", "eV", "of the cell, relative to the start"),
}


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
    chemiscope = _chemiscope()
    frames, options = _view_of(run, n_frames)
    with warnings.catch_warnings():  # outside a notebook the widget is made, too, and can be saved
        warnings.filterwarnings("ignore", message="chemiscope.show only displays")
        return chemiscope.show(frames, **options)


def trajectory_data(run: Trajectory, *, n_frames: int = MOST_FRAMES) -> dict[str, Any]:
    """Return what `show_trajectory` shows, as chemiscope stores it: for a page.

    Parameters
    ----------
    run : Trajectory
    n_frames : int
        How many frames it holds at most, evenly spread.

    Raises
    ------
    MissingToolError
        If chemiscope is not installed.
    """
    frames, options = _view_of(run, n_frames)
    data: dict[str, Any] = _chemiscope().create_input(frames, **options)
    return data


def _chemiscope() -> Any:
    try:
        import chemiscope
    except ImportError as error:
        raise MissingToolError(
            "chemiscope is not installed", fix="pip install chemiscope"
        ) from error
    return chemiscope


def _view_of(run: Trajectory, n_frames: int) -> tuple[list[Atoms], dict[str, Any]]:
    """Return the frames of a view, and what chemiscope is told about them."""
    every = max(1, -(-len(run.times_fs) // n_frames))
    log = run.log().iloc[::every]
    whole = np.isfinite(log[list(COLUMNS)].to_numpy(float)).all(axis=1)  # not where it blew up
    frames = [atoms for atoms, finite in zip(run.frames(every), whole, strict=True) if finite]
    for atoms in frames:
        atoms.positions = whole_molecules(atoms)[0]
        atoms.info = {}
    properties = {
        name: {
            "target": "structure",
            "values": (log[column] - (log[column].iloc[0] if unit == "eV" else 0))[
                whole
            ].to_numpy(),
            "units": unit,
            "description": meaning,
        }
        for column, (name, unit, meaning) in COLUMNS.items()
    }
    settings = {
        "map": {"x": {"property": "time"}, "y": {"property": "temperature"}},
        "structure": [
            {"unitCell": bool(frames[0].pbc.any()), "keepOrientation": True, "playbackDelay": 100}
        ],
    }
    return frames, {"properties": properties, "settings": settings}
