"""Every question of the handout is asked in a lesson: a table says where, and in which words."""

from __future__ import annotations

import re

import pytest

# Question of the handout → lesson, beginning of its heading, words that ask it there.
QUESTIONS = {
    "1.1 terminal": ("01", "Part 1 · A terminal", r"`cd FOLDER`"),
    "1.2 editor": ("01", "Exercise 1.2", r"\bset the cutoff"),
    "2.1 (1) train": ("02", "Exercise 2.1 (1)", r"default settings"),
    "2.1 (2) validation error": ("02", "Exercise 2.1 (2)", r"`rmse_forces_validation`"),
    "2.1 (3) training error": ("02", "Exercise 2.1 (3)", r"`rmse_forces_training`"),
    "2.1 (4) why do they differ?": ("02", "Exercise 2.1 (4)", r"not the error to expect"),
    "2.1 (5) more data, predicted": ("02", "Exercise 2.1 (5)", r"twice as many snapshots"),
    "2.1 (6) scatter plots": ("02", "Exercise 2.1 (6)", r"DFT\s+\(horizontal\)"),
    "2.1 (6) a perfect prediction?": ("02", "Exercise 2.1 (6)", r"if the prediction was perfect\?"),
    "2.1 (6) by eye?": ("02", "Exercise 2.1 (6)", r"Can you\s+tell by eye"),
    "2.2 (1) 50 to 400 snapshots": ("03", "Exercise 2.2 (1)", r"50 .*400"),
    "2.2 (2) both curves in one graph": ("03", "Exercise 2.2 (2)", r"training and one for\s+valid"),
    "2.2 (2) as you predicted?": ("03", "Exercise 2.2 (2)", r"match your prediction"),
    "2.2 (3) would more data help?": ("03", "Exercise 2.2 (3)", r"would you"),
    "2.3 (1) recognize overfitting": ("04", "Exercise 2.3 (1)", r"overfit"),
    "2.3 (1) an overfitted curve, seen": ("02", "A curve through a few points", r"overfitted"),
    "2.3 (2) what do you expect?": ("04", "Exercise 2.3 (2)", r"expect the best"),
    "2.3 (2) best sigma": ("04", "Exercise 2.3 (2)", r"`best_sigma_100`"),
    "2.3 (3) other settings": ("04", "Exercise 2.3 (3)", r"`?atom_sigma`?"),
    "2.3 (3) can they overfit?": (
        "04",
        "Exercise 2.3 (3)",
        r"`n_max` and `l_max` cause overfitting",
    ),
    "2.3 (4) 200 snapshots": ("04", "Exercise 2.3 (4)", r"your `best_sigma_100` on 200 frames"),
    "2.3 (4) significant?": ("04", "Exercise 2.3 (4)", r"significant"),
    "2.3 (5) learned": ("04", "Exercise 2.3 (5)", r"\*\*Question"),
    "2.4 (1) the script": ("05", "Exercise 2.4 (1)", r"script"),
    "2.4 (2) constant energy": ("05", "Exercise 2.4 (2)", r"200 steps"),
    "2.4 (3) temperature fluctuates": ("05", "Exercise 2.4 (3)", r"temperature"),
    "2.4 (4) constant temperature": ("05", "Exercise 2.4 (4)", r"100 steps"),
    "2.4 (5) costs": ("05", "Exercise 2.4 (5)", r"DFT"),
    "3 (1) learning curves": ("06", "Exercise 3 (1)", r"\bxy\b"),
    "3 (1) more structures?": ("06", "Exercise 3 (1)", r"adding more training structures"),
    "3 (2) equal components": ("06", "Exercise 3 (2)", r"equal"),
    "3 (3) 500 features": ("06", "Exercise 3 (3)", r"200 and with 500 features"),
    "3 (3) learning curves again": ("06", "Exercise 3 (3)", r"Repeat the learning curves"),
    "3 (3) size of the files": ("06", "Exercise 3 (3)", r"size of the files"),
    "3 (4) regularization varied": ("06", "Exercise 3 (4)", r"ten decades"),
    "3 new snapshots": ("07", "Exercise 3 (5)", r"polarizab"),
    "4 what you have made": ("07", "", r"\*\*What next\?\*\*"),
}


@pytest.fixture(scope="module")
def parts(cells_of):
    """A function: number of a lesson → the text under each of its headings, for students."""
    from helpers.grading.course import Course

    names = {source.stem[:2]: source.stem for source in Course().sources()}

    def read(number):
        cells = cells_of("notebooks", names[number], "markdown")
        text = "\n".join(cell.source for cell in cells)
        headings = re.split(r"^##+ ", text, flags=re.MULTILINE)
        return headings

    return read


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_of_the_handout_is_asked(question, parts):
    lesson, heading, words = QUESTIONS[question]
    asked = [part for part in parts(lesson) if part.startswith(heading)]
    assert asked, f"lesson {lesson} has no heading {heading!r}"
    assert any(re.search(words, part, re.IGNORECASE | re.DOTALL) for part in asked), (
        f"lesson {lesson}, {heading!r}: nothing asks {question!r} ({words})"
    )
