"""A class hands in lesson 03, in which every student trains potentials with the real gap_fit.

They share a cache of fits, as in a room with one file server: each potential is trained once.
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("03_learning_curve")]

LESSON = "03_learning_curve"

# Right, in another way than the solution's.
RIGHT = {
    "ex2-2-1": """
pieces = [learning_curve(CLASSROOM, sizes=[n], cache=CACHE, progress=False) for n in (100, 50)]
for n in (400, 200):
    pieces.append(stored_curve.query(f"repeat == 1 and n_frames == {n}"))
curve = pd.concat(pieces[::-1])
""",
    "ex2-2-2": """
figure = plt.figure()
left = figure.add_subplot()
wide = curve.pivot(index="n_frames", columns="set", values="rmse_forces_meV_per_A") / 1000
left.scatter(wide.index, wide["training"], label="training")
left.scatter(wide.index, wide["validation"], label="validation")
left.set_xscale("log")
left.set_yscale("log")
left.set_xlabel("number of snapshots")
left.set_ylabel("error of the forces, eV/Å")
figure.legend()
""",
    "ex2-2-2b": """
chosen = curve.query("set == 'validation'")
x, y = np.log10(chosen.n_frames), np.log10(chosen.rmse_forces_meV_per_A)
matrix = np.stack([x, np.ones(4)], axis=1)
(b, a), *_ = np.linalg.lstsq(matrix, y, rcond=None)
exponent, forecast_800 = -b, 10 ** (a + b * np.log10(800))
""",
    "text2-2-3": "No: the exponent is small and the curves have met. Rather a larger model.",
}
# Errors of other sizes and in other units, linear axes, the training errors fitted.
WRONG = {
    "ex2-2-1": """
curve = stored_curve.query("repeat == 1").copy()
curve["rmse_forces_meV_per_A"] = curve["rmse_forces_meV_per_A"].to_numpy()[::-1]
curve["rmse_energy_meV_per_atom"] *= 1000
""",
    "ex2-2-2": """
figure, ax = plt.subplots()
ax.plot(curve["n_frames"], curve["rmse_energy_meV_per_atom"])
""",
    "ex2-2-2b": """
rows = curve[curve["set"] == "training"]
exponent, forecast_800 = np.polyfit(rows["n_frames"], rows["rmse_forces_meV_per_A"], 1)
forecast_800 = abs(forecast_800) + 800
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
    assert "None of the errors is that of the small potential" in graded.page("wrong")
    assert "The sign of the slope?" in graded.page("wrong")
