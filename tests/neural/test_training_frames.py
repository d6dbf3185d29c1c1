"""Shipped frames of molecules, and which of them a training takes."""

import sys

import numpy as np
import pytest
from ase.build import molecule

from helpers import load_frames
from helpers.errors import ConfigError, DataError
from helpers.frames import check_labels, data_files
from helpers.neural import training_frames
from helpers.neural.training_frames import in_time

NAMES = {"energy_name": "xtb_energy", "forces_name": "xtb_forces"}


def places(frames):
    return [(atoms.info["trajectory"], atoms.info["frame"]) for atoms in frames]


@pytest.fixture(scope="module", params=["ethanol"])
def sets(request):
    return {
        (file.split, file.size): load_frames(request.param, file.split, file.size)
        for file in data_files(request.param)
    }


def test_shipped_molecules_are_whole_and_labeled(sets):
    for (split, size), frames in sets.items():
        assert len(frames) == size
        check_labels(frames, **NAMES, source=split)
        assert not any(atoms.pbc.any() for atoms in frames)
        net = np.array([atoms.arrays["xtb_forces"].sum(0) for atoms in frames])
        assert np.abs(net).max() < 1e-4
    assert places(sets["train", 1000])[:100] == places(sets["train", 100])


def test_splits_share_no_trajectory(sets):
    runs = [
        {atoms.info["trajectory"] for atoms in sets[key]}
        for key in (("train", 1000), ("validate", 100), ("test", 200))
    ]
    assert [len(run) for run in runs] == [4, 2, 2]
    assert len(set.union(*runs)) == 8


def test_sizes_and_consecutive_frames(sets, monkeypatch):
    read = {("ethanol", "train"): sets["train", 1000]}  # once, for it takes seconds
    monkeypatch.setattr(sys.modules[in_time.__module__], "load_frames", lambda *what: read[what])
    assert places(training_frames("ethanol", "1k")) == places(sets["train", 1000])
    assert len(training_frames("ethanol", 100)) == 100
    assert places(training_frames("ethanol", "100", contiguous=True)) == [
        (1, k) for k in range(100)
    ]
    with pytest.raises(ConfigError, match="no 10000 training frames.*at most 1000"):
        training_frames("ethanol", "10k")
    with pytest.raises(ConfigError, match="size='many' cannot be used.*100 or 1k"):
        training_frames("ethanol", "many")


def test_frames_that_do_not_follow_each_other_are_refused(sets):
    with pytest.raises(DataError, match="frames of a trajectory are not consecutive"):
        in_time(sets["train", 100])
    with pytest.raises(DataError, match="do not tell their place in a trajectory"):
        in_time([molecule("H2O")])
