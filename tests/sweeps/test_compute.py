"""What one process does for a sweep with the kit's own engine: no gap_fit, the same numbers."""

import pytest

from helpers import evaluate, load_frames
from helpers.gap.jax.training import train
from helpers.gap.xml import write_model
from helpers.sweeps.compute import Task, compute, memory_MB


@pytest.fixture
def task(small_water, smallest_config, monkeypatch):
    """A function: a task of two sigmas, where there is no gap_fit."""
    monkeypatch.setattr("helpers.gap.fit.find_gap_fit", lambda: pytest.fail("gap_fit was asked"))
    sigmas = ((0.001, 0.02), (0.003, 0.1))
    configs = [smallest_config.replace(default_sigma=(*pair, 0.0, 0.0)) for pair in sigmas]
    sets = load_frames("water", "train", 8), load_frames("water", "validate")

    def make(judge="validation"):
        return Task(("one", "other"), tuple(configs), *sets, engine="jax", judge=judge)

    return make


@pytest.mark.slow
def test_each_point_is_what_a_fit_gives(task, tmp_path):
    made = task()
    outcomes = compute(made)
    assert [outcome.failure for outcome in outcomes] == ["", ""]
    for outcome, config in zip(outcomes, made.configs, strict=True):
        assert outcome.result["cost"]["method"] == "one K_NM"
        (tmp_path / "gap.xml").write_bytes(outcome.model)
        alone = write_model(train(config, made.training).model, tmp_path / "alone.xml")
        for row, frames in zip(
            outcome.result["errors"], (made.training, made.validation), strict=True
        ):
            for path in (tmp_path / "gap.xml", alone):
                expected = evaluate(path, frames, processes=1)
                for name in ("rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"):
                    assert row[name] == pytest.approx(getattr(expected, name), rel=1e-5)


def test_trajectories_may_judge(task):
    by_frames, by_trajectories = compute(task()), compute(task("trajectories"))
    for one, other in zip(by_frames, by_trajectories, strict=True):
        (seen, unseen), (again, left_out) = one.result["errors"], other.result["errors"]
        assert seen == again and left_out["set"] == "validation"
        # Predicted without its siblings a frame is predicted worse than when trained on.
        assert left_out["rmse_forces_meV_per_A"] > seen["rmse_forces_meV_per_A"]
        assert left_out["rmse_forces_meV_per_A"] != unseen["rmse_forces_meV_per_A"]


def test_what_the_engine_cannot_do_fails_with_the_reason(task):
    made = task()
    made.training[2].info["force_sigma"] = 0.1
    words = "Frame 3 of the training frames holds 'force_sigma'"
    assert all(words in outcome.failure for outcome in compute(made))


def test_memory_of_a_task_does_not_ask_gap_fit(task):
    assert 100 < memory_MB(task()) < 1000
