"""The workshop's error scripts judge a potential by frames of its own kind."""

import sys

import pytest
from own_frames import SMALL

from helpers.gap import error_script


def test_water_does_not_validate_a_potential_of_something_else(tmp_path, monkeypatch, capsys):
    SMALL.replace(atoms_filename="own.xyz").write(tmp_path / "own.cfg")
    monkeypatch.setattr(sys, "argv", ["validate", "--config", str(tmp_path / "own.cfg")])
    assert error_script("test", split="validate", csv="out.csv") == 1
    message = capsys.readouterr().err
    assert "names frames of its own, own.xyz" in message and "--frames FILE" in message
    with pytest.raises(SystemExit):
        monkeypatch.setattr(sys, "argv", ["train", "--frames", "a.xyz"])
        error_script("test", split="train", csv="out.csv")
