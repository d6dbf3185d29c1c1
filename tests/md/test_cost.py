"""The account of what a step costs."""

import numpy as np
import pytest
from ase import Atoms

from helpers import load_frames
from helpers.errors import DataError
from helpers.md.cost import Cost, StepCost, recorded_dft_seconds, step_cost


def test_the_account_adds_up():
    cost = Cost(StepCost("compiled", 0.01, 0.02), 50.0, 200, 140.0)
    assert cost.ratio == 5000
    assert cost.data_s == 10_000
    steps = cost.break_even_steps
    assert steps * 50.0 == pytest.approx(10_000 + 140 + steps * 0.01)
    table = cost.table().set_index("what")
    assert table.loc["break-even", "value"] == steps
    assert table.loc["data: 200 frames with DFT", "value"] == 10_000
    curves = cost.curves(10_000)
    cheaper = curves["GAP_s"] < curves["DFT_s"]
    assert np.array_equal(cheaper, curves["steps"] > steps)


def test_sampling_is_paid_for():
    with_sampling = Cost(StepCost("compiled", 0.01, 0.02), 50.0, 200, 140.0, sampling_s=5000.0)
    assert with_sampling.break_even_steps == pytest.approx((10_000 + 140 + 5000) / 49.99)
    assert with_sampling.curves(10)["GAP_s"].iloc[0] == pytest.approx(15_140.01)
    assert "sampling" in set(with_sampling.table()["what"])


def test_a_potential_that_is_no_faster_never_pays():
    assert np.isinf(Cost(StepCost("ase", 60.0, 60.0), 50.0, 200, 140.0).break_even_steps)


def test_dft_seconds_come_from_the_records_without_polarizabilities():
    frames = load_frames("water", "train", 400)
    plain = [a.info["dft_seconds"] for a in frames if "Polarizability" not in a.info]
    assert len(plain) == 200
    assert recorded_dft_seconds(frames) == min(plain)
    assert recorded_dft_seconds(frames, polarizability=True) > 1.3 * min(plain)
    with pytest.raises(DataError, match="No frame tells.*dft_seconds"):
        recorded_dft_seconds([Atoms("H")])


def test_the_cost_of_a_step_is_that_of_the_run(argon, lj):
    from helpers import run_nve

    run = run_nve(lj, argon, steps=30, engine="ase", temperature_K=40, progress=False)
    found = step_cost(run)
    assert found.engine == "ase" and 0 < found.clock_s < 1 and 0 < found.processor_s < 1
