"""Two instructors grade and mark at the same time, with a gradebook on a real PostgreSQL server."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from helpers.grading import Course

sys.path.append(str(Path(__file__).parents[1] / "grading"))
from probes.course import LESSON, add_copy, hand_in, new_course  # noqa: E402
from probes.hand_ins import HandIn  # noqa: E402

pytest.importorskip("psycopg2")
PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
INITDB = shutil.which("initdb", path=os.pathsep.join([os.environ["PATH"], *PROGRAMS]))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(INITDB is None, reason="PostgreSQL is not installed"),
]
OTHER = "02_probe"


@pytest.fixture(scope="module")
def database():
    """A server of its own; the address of an empty database."""
    programs = Path(INITDB).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = {}
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        shutil.chown(folder, "nobody", "nogroup")
        user = {"user": "nobody", "group": "nogroup"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(name, *arguments):
        command = [str(programs / name), *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, **user
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "instructor", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    # Not captured: the server would keep the pipe open.
    start = [str(programs / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", options]
    subprocess.run([*start, "start"], check=True, stdout=subprocess.DEVNULL, timeout=120, **user)
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "instructor", "gradebook")
        yield f"postgresql+psycopg2://instructor@127.0.0.1:{port}/gradebook"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_two_gradings_and_a_mark_by_hand_at_the_same_time(database, tmp_path, monkeypatch):
    monkeypatch.setenv("MLMD_GRADEBOOK", database)
    course = new_course(tmp_path)
    add_copy(course, OTHER)
    answer = {"text1-6": "Because of noise."}
    for lesson in (LESSON, OTHER):
        Course(course.root).release(lesson, database=True)
        hand_in(course, HandIn("anna", answer), lesson)
        hand_in(course, HandIn("ben", {"ex1-1": "total = 1"}), lesson)
    command = [sys.executable, "-m", "helpers.grading.grades", "grade"]
    one, other = (
        subprocess.Popen(
            [*command, lesson, "--course", str(course.root), "--jobs", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for lesson in (LESSON, OTHER)
    )
    assert one.wait(300) == 0, one.stdout.read()
    api = course.api()
    with api.gradebook as gradebook:  # while the other may still be graded
        grade = gradebook.find_grade("text1-6", LESSON, LESSON, "anna")
        grade.manual_score, grade.needs_manual_grade = 1.0, False
        gradebook.db.commit()
    assert other.wait(300) == 0, other.stdout.read()
    scores = {
        (lesson, student): api.get_submission(lesson, student)["score"]
        for lesson in (LESSON, OTHER)
        for student in ("anna", "ben")
    }
    assert scores == {
        (LESSON, "anna"): 11,
        (LESSON, "ben"): 8,
        (OTHER, "anna"): 10,
        (OTHER, "ben"): 8,
    }
    assert not (course.grading / "gradebook.db").exists()
