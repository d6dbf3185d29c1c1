"""The report's sections on sweeps answer what the handout asks."""

import numpy as np
import pytest

from helpers.report.sections import add_section
from helpers.sweeps.report import learning_curve_section, sweep_section


def text_of(section):
    return " ".join(section.paragraphs)


def test_the_learning_curve_says_whether_more_data_helps(tmp_path, curve_table):
    section = learning_curve_section(curve_table(noise=0.02))
    assert "For energies, more data helps: from 200 to 400 frames" in text_of(section)
    assert "For forces, more data helps" in text_of(section)
    assert [meaning for _, meaning in section.headline] == [
        "expected for 800 frames, energies",
        "expected for 800 frames, forces",
    ]
    page = add_section(section, tmp_path).read_text()
    assert page.count("<img ") == 2 and "Does more data help?" in page
    assert page.count("<tr>") > 2 * 12


def test_few_points_make_no_promise(curve_table):
    section = learning_curve_section(curve_table(sizes=(50, 100), repeats=1))
    assert (
        "too few points to say whether more data helps" in text_of(section)
        and section.headline == ()
    )


def test_a_sweep_names_the_onset_the_best_and_the_ranking(tmp_path, sweep_table):
    section = sweep_section(sweep_table)
    text = text_of(section)
    assert "Overfitting: below a sigma of 0.01" in text and "lowest at 0.01 eV/atom" in text
    assert "Most important is n_frames: its worst value (100) has a validation error 100 %" in text
    captions = [table.caption for table in section.tables]
    assert captions[:2] == ["Effects, energies (1 = none)", "The best point of each size"]
    page = add_section(section, tmp_path).read_text()
    # Error against sigma, cutoff, one map, effects.
    assert page.count("<img ") == 4 and "Which settings matter?" in page


@pytest.mark.parametrize("section_of", [learning_curve_section, sweep_section])
def test_failed_points_are_listed_with_their_reason(sweep_table, section_of):
    failed = (sweep_table["cutoff"] == 3.5) & (sweep_table["n_frames"] == 200)
    numbers = sweep_table.columns[sweep_table.columns.str.startswith(("rmse", "mae"))]
    sweep_table.loc[failed, numbers] = np.nan
    sweep_table.loc[failed, "failure"] = "gap_fit failed"
    listed = [text for text in section_of(sweep_table).paragraphs if "Not computed" in text]
    assert len(listed) == 3
    assert listed[0] == (
        "Not computed: sigma_energy_eV_per_atom 0.001, cutoff 3.5, n_frames 200, repeat 1. "
        "Reason: gap_fit failed"
    )
