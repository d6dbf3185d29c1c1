"""A class hands in lesson 03, in which every student trains potentials.

They share a cache of fits, as in a room with one file server: each potential is trained once.
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("03_learning_curve")]

LESSON = "03_learning_curve"

# Right, in another way than the solution's.
RIGHT = {
    "ex2-2-1": """
options = {"cache": CACHE, "progress": False, "engine": "jax"}
pieces = [learning_curve(DEFAULT, sizes=[n], **options) for n in (50, 25)]
for n in (400, 200, 100):
    pieces.append(stored_default.query(f"repeat == 1 and n_frames == {n}"))
curve = pd.concat(pieces[::-1])
""",
    "ex2-2-2": """
figure, panels = plt.subplots(3, sharex=True, sharey=True)
tables = (curve, *(t[t["repeat"] == 1] for t in (stored_small, stored_energies)))
for panel, table in zip(panels, tables, strict=True):
    wide = table.pivot(index="n_frames", columns="set", values=FORCES) / 1000
    for name in wide:
        panel.scatter(wide.index, wide[name], label=name)
    panel.set(xscale="log", yscale="log", xlabel="number of snapshots", ylabel="RMSE, eV/Å")
panels[0].legend()
""",
    "ex2-2-2b": """
chosen = stored_energies.query("set == 'validation' and repeat == 1 and n_frames >= 100")
x, y = np.log10(chosen["n_frames"]), np.log10(chosen[FORCES])
matrix = np.stack([x, np.ones(len(x))], axis=1)
(b, a), *_ = np.linalg.lstsq(matrix, y, rcond=None)
exponent, forecast_800 = -b, 10 ** (a + b * np.log10(800))
""",
    "text2-2-3": "No: the exponent is small and the curves have met. Rather a larger model.",
}
# Another potential, its energies, and a law where the curve is not straight.
WRONG = {
    "ex2-2-1": """
curve = stored_small[stored_small["repeat"] == 1]
""",
    "ex2-2-2": """
figure, ax = plt.subplots()
ax.plot(curve["n_frames"], curve["rmse_energy_meV_per_atom"])
""",
    "ex2-2-2b": """
chosen = stored_energies.query("set == 'validation' and repeat == 1")
exponent, a = np.polyfit(np.log(chosen["n_frames"]), np.log(chosen[FORCES]), 1)
forecast_800 = np.exp(a + exponent * np.log(800))
""",
}
EXPECTED = {"right": 8, "wrong": 0}


@pytest.fixture(scope="module")
def graded(new_class, shared_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLMD_CACHE", str(shared_cache))
        group = new_class(LESSON)
        for student, answers in {"right": RIGHT, "wrong": WRONG}.items():
            group.hand_in(student, answers)
        assert group.grade() == 0, group.said
    return group


def test_each_gets_the_marks_that_the_work_deserves(graded):
    assert graded.table["score"].to_dict() == EXPECTED, graded.said
    assert graded.table["points_to_mark_by_hand"].to_dict() == {"right": 3, "wrong": 0}


def test_feedback_tells_what_was_expected(graded):
    assert "None of the errors is that of the default settings" in graded.page("wrong")
    assert "The sign?" in graded.page("wrong")
