"""The two presets on the released validation frames: how accurate, from how much."""

import re
from pathlib import Path

import pytest

from helpers import GapConfig, evaluate, fit_gap, load_frames

README = Path(__file__).parents[1] / "README.md"


def judge(config, folder, record_property):
    fit = fit_gap(config, output=folder / "gap.xml", progress=False)
    result = evaluate(fit.model_path, load_frames("water", "validate"))
    record_property("cpu_seconds", round(fit.cpu_seconds, 1))
    record_property("peak_memory_MB", round(fit.peak_memory_MB))
    record_property("rmse_energy_meV_per_atom", round(result.rmse_energy_meV_per_atom, 3))
    record_property("rmse_forces_meV_per_A", round(result.rmse_forces_meV_per_A, 2))
    print(fit, result, sep="\n")
    row = rf"\| {fit.n_frames} \| ([\d.]+) meV/atom \| ([\d.]+) meV/Å"
    stated = re.search(row, README.read_text(encoding="utf-8"))
    found = [result.rmse_energy_meV_per_atom, result.rmse_forces_meV_per_A]
    assert found == pytest.approx([float(text) for text in stated.groups()], rel=0.02), stated[0]
    return fit, result


@pytest.mark.slow
@pytest.mark.xdist_group("default")
def test_the_default_preset(tmp_path, record_property):
    fit, result = judge(GapConfig(), tmp_path, record_property)
    assert fit.n_frames == 100
    assert result.rmse_energy_meV_per_atom <= 1.35
    assert result.rmse_forces_meV_per_A <= 78
    assert fit.peak_memory_MB <= 1000


@pytest.mark.slow
@pytest.mark.xdist_group("accurate")
def test_the_accurate_preset(tmp_path, record_property):
    fit, result = judge(GapConfig.accurate(), tmp_path, record_property)
    assert fit.n_frames == 400
    assert result.rmse_energy_meV_per_atom <= 0.9
    assert result.rmse_forces_meV_per_A <= 66
    assert fit.peak_memory_MB <= 8000
