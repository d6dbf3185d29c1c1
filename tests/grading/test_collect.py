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
    send("Hana 01 First Look.ipynb", "hana")
    send("ida_01_first_look.ipynb.txt", "ida")  # some browsers add it
    send("Jan  Novak_Copy of 01_first_look.ipynb", "jan")
    send("\u0915\u093f\u0930\u0923_01_first_look.IPYNB", "kiran")
    send(
        "lu.zip",
        {"kit/notebooks/01_first_look.ipynb": "lu", "kit/solutions/01_first_look.ipynb": ""},
    )
    send("of Monday.zip", {"mia_01_first_look.ipynb": "mia", "a/nils_01-first-look.ipynb": "nils"})
    for name, text in (("olga/01_first_look.ipynb", "olga"), ("olga/gap.xml", "no notebook")):
        path = grading / "downloaded" / LESSON / "archive" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
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
        "Hana": "hana",
        "ida": "ida",
        "Jan Novak": "jan",
        "\u0915\u093f\u0930\u0923": "kiran",
        "lu": "lu",
        "mia": "mia",
        "nils": "nils",
        "olga": "olga",
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
        ("a" * 150 + "_01_first_look.ipynb", "", "a" * 100, "'a+' cannot be the name"),
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
        "a name that is too long",
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


def test_whose_notebook_lies_in_a_folder_is_not_guessed(grading, send):
    folder = grading / "downloaded" / LESSON / "archive" / "Lesson 1"
    folder.mkdir()
    (folder / "anna_01_first_look.ipynb").write_text("anna")
    problem = collect(grading, LESSON).problems["Lesson 1"]
    assert "A folder called Lesson 1 holds the notebook of anna" in problem
    assert submitted(grading) == {}


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


LATER = "2026-03-02"
SYSTEMS = {
    "Moodle, folders": (
        {
            "Ada Stone_48231_assignsubmission_file_/01_first_look.ipynb": "ada",
            "Zo\u00eb O'Brien_48232_assignsubmission_file_/01_first_look (2).ipynb": "zoe",
            "Ada Stone_48231_assignsubmission_onlinetext_/onlinetext.html": "a comment",
        },
        {"Ada Stone": "ada", "Zo\u00eb O'Brien": "zoe"},
    ),
    "Moodle, flat": (
        {
            "Ada Stone_48231_assignsubmission_file_01_first_look.ipynb": "ada",
            "M\u00fcller, Jo_48233_assignsubmission_file_homework.ipynb": "jo",
        },
        {"Ada Stone": "ada", "M\u00fcller, Jo": "jo"},
    ),
    "Canvas": (
        {
            "stoneada_48231_993812_01_first_look.ipynb": "first",
            "stoneada_LATE_48231_993899_01_first_look-1.ipynb": "second",
            "obrienzoe_48232_993813_01_first_look.ipynb": "zoe",
        },
        {"stoneada": "second", "obrienzoe": "zoe"},
    ),
    "Blackboard": (
        {
            "Lesson 1_astone_attempt_2026-03-01-10-11-12_01_first_look.ipynb": "first",
            "Lesson 1_astone_attempt_2026-03-02-08-00-00_01_first_look.ipynb": "second",
            "Lesson 1_astone_attempt_2026-03-02-08-00-00.txt": "what Blackboard says",
        },
        {"astone": "second"},
    ),
    "ILIAS": (
        {
            "Lesson/Stone_Ada_astone_48231/20260302080000_01_first_look.ipynb": "second",
            "Lesson/Stone_Ada_astone_48231/20260301101112_01_first_look.ipynb": "first",
            "Lesson/Lee_Bo_blee_48235/20260301101112_01_first_look.ipynb": "bo",
        },
        {"Ada Stone": "second", "Bo Lee": "bo"},
    ),
    "OLAT": (
        {
            "Stone_Ada_astone/1_submissions/01_first_look.ipynb": "first",
            "Stone_Ada_astone/2_submissions/01_first_look.ipynb": "second",
        },
        {"Ada Stone": "second"},
    ),
}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "unpacked"])
@pytest.mark.parametrize(("files", "expected"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_download_of_a_system_is_sorted_and_the_newest_attempt_counts(
    grading, send, files, expected, packed
):
    if packed:
        send("Course-Lesson 1-4711.zip", files)
    else:
        for name, text in files.items():
            path = grading / "downloaded" / LESSON / "archive" / "Lesson 1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    collected = collect(grading, LESSON)
    assert collected.problems == {}
    assert submitted(grading) == expected
    assert collected.notes == ({"stoneada": ["handed in late"]} if "stoneada" in expected else {})
    if "astone" in expected:
        stamp = submission(grading, "astone").with_name("timestamp.txt")
        assert stamp.read_text() == f"{LATER} 08:00:00 UTC\n"


def test_a_roster_gives_names_and_what_fits_nobody_is_listed(grading, send):
    (grading / "roster.csv").write_text(
        'student,name,login,number\nada,"Stone, Ad\u00e1",astone,48231\n'
        "bo,Bo Lee,blee@uni.edu,48235\nbo2,Bo Lee,blee2,48236\n"
    )
    send("astone_01_first_look.ipynb", "by login")
    send("Ada Stone_01_first_look.ipynb", "by login")
    send("blee_01_first_look.ipynb", "by the first part of an address")
    send("Bo Lee_01_first_look.ipynb", "which of them?")
    send("Carl_01_first_look.ipynb", "nobody")
    collected = collect(grading, LESSON)
    assert submitted(grading) == {"ada": "by login", "bo": "by the first part of an address"}
    assert list(collected.problems) == ["Bo Lee_01_first_look.ipynb", "Carl_01_first_look.ipynb"]
    assert "fits no student of the roster" in collected.problems["Carl_01_first_look.ipynb"]


def test_two_people_of_one_name_are_told_apart_by_the_roster_only(grading, send):
    one, other = (f"Ada Stone_{n}_assignsubmission_file_/01_first_look.ipynb" for n in (4821, 4822))
    send("download.zip", {one: "one", other: "other"})
    problem = collect(grading, LESSON).problems["Ada Stone"]
    assert "Two people are called Ada Stone: 4821, 4822" in problem
    (grading / "roster.csv").write_text("student,number\nada,4821\nada2,4822\n")
    assert collect(grading, LESSON).problems == {}
    assert submitted(grading) == {"ada": "one", "ada2": "other"}


def test_a_link_is_not_followed(grading, send, tmp_path):
    (tmp_path / "letter.txt").write_text("private")
    archive = grading / "downloaded" / LESSON / "archive"
    (archive / "anna_01_first_look.ipynb").symlink_to(tmp_path / "letter.txt")
    path = send("ben.zip", {})
    with zipfile.ZipFile(path, "w") as packed:
        link = zipfile.ZipInfo("01_first_look.ipynb")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/hostname")
    problems = collect(grading, LESSON).problems
    assert "is a link" in problems["anna_01_first_look.ipynb"] and "is a link" in problems["ben"]
    assert submitted(grading) == {}
