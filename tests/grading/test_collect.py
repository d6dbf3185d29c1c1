"""What students send has many names: each file goes to its student, or the table tells why not."""

from __future__ import annotations

import zipfile

import pytest

from helpers.grading.collect import collect

LESSON = "01_first_look"


@pytest.fixture
def grading(tmp_path):
    (tmp_path / "downloaded" / LESSON / "archive").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def send(grading):
    """A function: put a file, or a zip of files, into the archive."""

    def put(name, content):
        path = grading / "downloaded" / LESSON / "archive" / name
        if isinstance(content, str):
            path.write_text(content)
            return path
        with zipfile.ZipFile(path, "w") as packed:
            for member, text in content.items():
                packed.writestr(member, text)
        return path

    return put


def submitted(grading):
    return {
        path.parts[-3]: path.read_text()
        for path in (grading / "submitted").glob(f"*/{LESSON}/{LESSON}.ipynb")
    }


def submission(grading, student):
    return grading / "submitted" / student / LESSON / f"{LESSON}.ipynb"


def test_names_that_are_understood(grading, send):
    send("anna_01_first_look.ipynb", "anna")
    send("ben-01_first_look.ipynb", "ben")
    send("Carla Smith_01_first_look.ipynb", "carla")
    send("2024_03_dora_01_first_look (1).ipynb", "dora")
    send("Zoe\u0308_01_first_look.ipynb", "zoe")  # as macOS writes it
    send("emil.zip", {"01_first_look/01_first_look.ipynb": "emil", "gap.xml": "no notebook"})
    send("fred_01_first_look.zip", {"a/b/fred_01_first_look.ipynb": "fred"})
    send(
        "gina.zip",
        {
            "01_first_look.ipynb": "gina",
            "01_first_look-Copy1.ipynb": "a copy",
            ".ipynb_checkpoints/01_first_look.ipynb": "of Jupyter",
            "__MACOSX/._01_first_look.ipynb": "of macOS",
            "02_train_gap.ipynb": "another lesson",
        },
    )
    send(".DS_Store", "not from a student")
    assert collect(grading, LESSON).problems == {}
    assert submitted(grading) == {
        "anna": "anna",
        "ben": "ben",
        "Carla Smith": "carla",
        "2024_03_dora": "dora",
        "Zo\u00eb": "zoe",
        "emil": "emil",
        "fred": "fred",
        "gina": "gina",
    }


@pytest.mark.parametrize(
    ("name", "content", "who", "why"),
    [
        ("01_first_look.ipynb", "", "01_first_look.ipynb", "does not tell whose it is"),
        ("01_first_look.zip", {}, "01_first_look.zip", "does not tell whose it is"),
        ("anna.ipynb", "", "anna.ipynb", "NAME_01_first_look.ipynb, or NAME.zip"),
        ("anna.rar", "", "anna.rar", "does not tell whose it is"),
        ("a[b]_01_first_look.ipynb", "", "a[b]_01_first_look.ipynb", "letters, digits"),
        ("anna (1).zip", {}, "anna (1).zip", "'anna \\(1\\)' cannot be the name"),
        ("anna.zip", "not a zip", "anna", "cannot be read.*not a zip file.*ask for it again"),
        ("anna.zip", {"02_train_gap.ipynb": ""}, "anna", "one notebook of this.*Found: none"),
        (
            "anna.zip",
            {"a/01_first_look.ipynb": "", "b/01_first_look.ipynb": ""},
            "anna",
            "a/01_first_look.ipynb .*, b/01_first_look.ipynb",
        ),
    ],
    ids=[
        "notebook without a name",
        "zip without a name",
        "notebook without the lesson",
        "another kind of archive",
        "brackets in the name",
        "brackets in the name of a zip",
        "damaged zip",
        "zip of another lesson",
        "two notebooks in a zip",
    ],
)
def test_what_cannot_be_assigned_is_told_and_stops_nobody(grading, send, name, content, who, why):
    send(name, content)
    send("ben_01_first_look.ipynb", "ben")
    problems = collect(grading, LESSON).problems
    assert list(problems) == [who]
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(problems[who])
    assert submitted(grading) == {"ben": "ben"}


def test_of_two_files_that_differ_none_is_taken(grading, send):
    send("anna_01_first_look.ipynb", "first")
    copy = send("anna_01_first_look (1).ipynb", "second")
    collected = collect(grading, LESSON)
    assert "anna_01_first_look (1).ipynb, anna_01_first_look.ipynb" in collected.problems["anna"]
    assert submitted(grading) == {}
    copy.write_text("first")
    assert collect(grading, LESSON).problems == {} and submitted(grading) == {"anna": "first"}


def test_what_an_instructor_mended_stays_until_the_student_hands_in_anew(grading, send, listing):
    send("anna_01_first_look.ipynb", "broken")
    collect(grading, LESSON)
    submission(grading, "anna").write_text("mended")
    collected = collect(grading, LESSON)
    assert submitted(grading) == {"anna": "mended"} and collected.replaced == {}

    send("anna_01_first_look.ipynb", "late")
    collected = collect(grading, LESSON)
    assert submitted(grading) == {"anna": "late"}
    assert collected.replaced["anna"].read_text() == "mended"
    assert not collected.replaced["anna"].is_relative_to(grading / "submitted")
    before = listing(grading)
    assert collect(grading, LESSON).replaced == {} and listing(grading) == before


def test_a_file_sorted_by_hand_is_not_overwritten(grading, send):
    path = submission(grading, "anna")
    path.parent.mkdir(parents=True)
    path.write_text("by hand")
    send("anna_01_first_look.ipynb", "sent")
    problem = collect(grading, LESSON).problems["anna"]
    assert "put there by hand" in problem and str(path) in problem
    assert submitted(grading) == {"anna": "by hand"}


def test_a_file_that_was_removed_is_collected_again(grading, send):
    send("anna_01_first_look.ipynb", "sent")
    collect(grading, LESSON)
    submission(grading, "anna").unlink()
    collect(grading, LESSON)
    assert submitted(grading) == {"anna": "sent"}
