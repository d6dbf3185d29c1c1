"""Every lesson: its form, its solution, which passes, and its student's edition, which fails."""

from __future__ import annotations

import re

import pytest
from nbgrader.utils import is_grade, is_locked, is_solution
from other_answers import answers_of

from helpers.grading.build import HIDDEN

EDITIONS = ("solutions", "notebooks")
STUB = "raise NotImplementedError()"


@pytest.fixture
def texts(cells_of, lesson):
    return [cell.source for cell in cells_of("notebooks", lesson, "markdown")]


# --- form ---------------------------------------------------------------------------


def test_it_tells_goals_time_and_what_comes_before(lesson, texts):
    first = texts[0]
    assert first.startswith(f"# {lesson[:2]} · ")
    for part in ("**You will learn**", "**Time:**", "**Before you start:**"):
        assert part in first
    assert re.search(r"\*\*Time:\*\* \d+ minutes", first)


def test_it_has_theory_with_an_equation_a_summary_and_a_quiz(lesson, texts):
    everything = "\n".join(texts)
    assert "$$" in everything
    assert "## Summary" in everything and "## Quiz" in everything
    assert everything.count("<summary>Answer</summary>") >= 3


def test_every_exercise_says_why_and_what_it_is_worth(lesson, texts):
    exercises = [text for text in texts if re.search(r"^#+ Exercise", text, re.MULTILINE)]
    assert exercises
    for text in exercises:
        heading = text.splitlines()[0]
        assert re.search(r"\((\d+ points?|optional)\)$", heading), heading
        assert "*Why:*" in text, heading


def test_every_exercise_has_all_its_parts(lesson, cells_of):
    """A place to answer, a check, something that judges, and a discussion, before what is next."""
    exercises, own = {}, []
    for cell in cells_of("solutions", lesson):
        heading = re.match(r"## (.*)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            own = exercises.setdefault(heading[1], []) if "Exercise" in heading[1] else []
        own.append(cell)
    for heading, cells in exercises.items():
        code = [cell for cell in cells if is_solution(cell) and cell.cell_type == "code"]
        checks = [cell for cell in cells if cell.id.endswith("-check") and is_locked(cell)]
        assert code or any(is_solution(cell) for cell in cells), f"{heading}: no place to answer"
        assert len(checks) >= len(code), f"{heading}: no check"
        assert any(is_grade(cell) for cell in cells), f"{heading}: nothing judges the answer"
        tags = {tag for cell in cells for tag in cell.metadata.get("tags", [])}
        assert "discussion" in tags, f"{heading}: no discussion"


def test_headings_promise_the_points_that_are_given(lesson, cells_of, texts):
    headings = "\n".join(texts)
    promised = re.findall(r"^#+ Exercise .*\((\d+) points?\)$", headings, re.MULTILINE)
    given = [c.metadata.nbgrader.points for c in cells_of("notebooks", lesson) if is_grade(c)]
    assert sum(map(int, promised)) == sum(given)


def test_every_test_has_something_to_see(lesson, cells_of):
    """The visible part uses what the student made, so that *Validate* has something to say."""
    tests = [c for c in cells_of("solutions", lesson, "code") if is_grade(c)]
    assert tests
    for cell in tests:
        assert is_locked(cell) and not is_solution(cell)
        assert HIDDEN in cell.source, cell.id
        assert cell.source.startswith("# "), f"{cell.id}: its purpose comes first"
        assert re.search(r"^assert .", cell.source.split(HIDDEN)[0], re.MULTILINE), cell.id


def test_mark_schemes_add_up(lesson, cells_of):
    for cell in cells_of("solutions", lesson, "markdown"):
        if is_grade(cell):
            lines = re.findall(r"^- (\d+) points?: .{15,}", cell.source, re.MULTILINE)
            assert sum(map(int, lines)) == cell.metadata.nbgrader.points, cell.id


def test_students_get_no_solution_no_hidden_test_and_no_discussion(lesson, cells_of):
    for cell in cells_of("notebooks", lesson):
        for word in ("BEGIN SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            assert word not in cell.source
        assert "discussion" not in cell.metadata.get("tags", [])
        if is_solution(cell):
            assert (STUB if cell.cell_type == "code" else "YOUR ANSWER HERE") in cell.source
    kept = [c for c in cells_of("solutions", lesson) if "discussion" in c.metadata.get("tags", [])]
    assert kept, "a solution discusses its answers"


def test_every_test_is_asked_about_right_and_wrong_answers(lesson, cells_of):
    """`answers/NN.py` has for each a right answer in another style, and one that is not."""
    answers = answers_of(lesson)
    tests = [cell for cell in cells_of("solutions", lesson, "code") if is_grade(cell)]
    most = {cell.id: cell.metadata.nbgrader.points for cell in tests}
    assert {answer.test for answer in answers} <= set(most)
    with_points = {test for test, points in most.items() if points}
    assert {one.test for one in answers if one.points == most[one.test]} >= with_points
    assert {one.test for one in answers if one.points < most[one.test]} >= with_points


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_output_is_stored(lesson, edition, cells_of):
    cells = cells_of(edition, lesson, "code")
    assert all(not c.outputs and c.execution_count is None for c in cells)


# --- the solution -------------------------------------------------------------------


@pytest.mark.slow
def test_the_solution_runs_and_gets_full_marks(lesson, run_of, split):
    run = run_of("solutions", lesson)
    assert run.errors() == {} and run.found.problems == []
    most = {name: test.points for name, test in split(lesson).tests.items()}
    assert {name: run.found.marks[name] for name in most} == most


@pytest.mark.slow
def test_other_answers_get_the_points_that_they_deserve(lesson, run_of):
    wrong = run_of("solutions", lesson).wrong_marks
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_it_is_quick_enough_for_a_class(lesson, run_of):
    """Five minutes even on one core, which a machine that runs other things may leave."""
    used = {edition: run_of(edition, lesson).found.kernel_cpu_s for edition in EDITIONS}
    print(f"{lesson}: " + ", ".join(f"{name} {value:.0f} CPU s" for name, value in used.items()))
    assert max(used.values()) < 300


@pytest.mark.slow
def test_what_takes_a_minute_shows_that_it_goes_on(lesson, run_of):
    for edition in EDITIONS:
        run = run_of(edition, lesson)
        took = run.seconds()
        for cell in run.code:
            assert took[cell.id] < 60 or re.search(r"% ?\|", str(cell.outputs)), (edition, cell.id)


@pytest.mark.slow
def test_every_figure_carries_a_text(lesson, run_of):
    """The text stands beside the picture; a figure without one is told by its size alone."""
    shown = [
        o.data for cell in run_of("solutions", lesson).code for o in cell.outputs if "data" in o
    ]
    figures = [data["text/plain"] for data in shown if "image/png" in data]
    assert len(figures) >= 2, "figures throughout"
    assert [text for text in figures if len(text) < 20 or text.startswith("<Figure")] == []


# --- the student's edition ----------------------------------------------------------


@pytest.mark.slow
def test_the_release_fails_exactly_where_a_student_must_act(lesson, run_of, cells_of):
    """Where an answer is missing, and in its check and its tests; all else runs."""
    errors = run_of("notebooks", lesson).errors()
    cells = cells_of("notebooks", lesson, "code")
    stubs = {c.id for c in cells if is_solution(c) and f"\n{STUB}" in f"\n{c.source}"}
    depend = {c.id for c in cells if is_locked(c)}
    assert set(errors) == stubs | depend
    assert {errors[name] for name in stubs} == {"NotImplementedError: "}
