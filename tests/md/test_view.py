"""The view in notebooks: what it shows, and that it needs no network."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.md.view import show_trajectory


@pytest.fixture
def widget(frames10, made_up):
    positions = np.repeat(frames10[0].positions[None], 450, 0)
    positions[-1] += 20  # beyond the cell
    run = made_up(frames10[0], positions, np.full_like(positions, 0.01), 2.0)
    return show_trajectory(run, n_frames=100)


def test_it_shows_evenly_spread_frames_with_their_energies(widget):
    data = json.loads(widget.value)
    assert len(data["structures"]) == 90  # every fifth
    assert data["structures"][0]["size"] == 48
    properties = data["properties"]
    assert set(properties) == {"time", "temperature", "potential energy", "total energy"}
    assert properties["time"]["units"] == "fs" and properties["temperature"]["units"] == "K"
    assert properties["time"]["values"][:3] == [0, 10, 20]
    assert properties["total energy"]["values"][0] == 0


def test_all_that_it_needs_comes_with_it(widget):
    # The program is sent to the browser from here; what receives it is an extension on this disk.
    assert len(str(widget._esm)) > 1e6
    extension = Path(sys.prefix, "share/jupyter/labextensions/anywidget/package.json")
    assert json.loads(extension.read_text())["name"] == "anywidget"
