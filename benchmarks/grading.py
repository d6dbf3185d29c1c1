"""What grading costs: ``python benchmarks/grading.py [STUDENTS] [LESSON …]``.

A class of honest hand-ins is graded by plain nbgrader (the notebook with its hidden tests in one
kernel) and by the kit (rebuilt, in a box, decided outside), then by the kit with two jobs. Prints
seconds on the clock and, where a cgroup can be made (root on Linux), CPU seconds of all processes.
On a busy machine only the CPU seconds mean something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")
PLAIN = """
from nbgrader.converters import Autograde
for name in ("sanitize_preprocessors", "autograde_preprocessors"):
    c.Autograde[name] = Autograde.class_traits()[name].default()
c.Execute.timeout = 600
"""


def new_class(folder: Path, lesson: str, students: int, *, plain: bool) -> None:
    """Make a course in which everybody hands in the solution; release the lesson."""
    text = (KIT / "nbgrader_config.py").read_text(encoding="utf-8")
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text(text + (PLAIN if plain else ""), encoding="utf-8")
    shutil.copytree(KIT / "solutions" / lesson, folder / "solutions" / lesson)
    for k in range(students):
        target = folder / "grading" / "submitted" / f"student{k}" / lesson
        target.mkdir(parents=True)
        shutil.copy(KIT / "solutions" / lesson / f"{lesson}.ipynb", target)
    grades = [sys.executable, "-m", "helpers.grading.grades", "release", lesson]
    subprocess.run([*grades, "--course", str(folder)], check=True, stdout=subprocess.DEVNULL)


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return seconds on the clock and CPU seconds (nan where unknown)."""
    group = ACCOUNTS / f"bench{os.getpid()}"

    if ACCOUNTS.is_dir():
        group.mkdir(exist_ok=True)
        (group / "cpuacct.usage").write_text("0")
    started = time.perf_counter()
    subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: join(group)
    )
    clock = time.perf_counter() - started
    cpu = int((group / "cpuacct.usage").read_text()) / 1e9 if group.is_dir() else float("nan")
    return clock, cpu


def join(group: Path) -> None:
    """Let this process, and all that it starts, be counted."""
    if group.is_dir():
        (group / "cgroup.procs").write_text(str(os.getpid()))


def main() -> None:
    """Measure and print one line for each lesson."""
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    lessons = sys.argv[2:] or ["01_first_look"]
    os.environ.setdefault("PYTHONPATH", str(KIT))
    for lesson in lessons:
        with tempfile.TemporaryDirectory(prefix="bench") as name:
            base = Path(name)
            for kind in ("plain", "one", "two"):
                new_class(base / kind, lesson, students, plain=kind == "plain")
            nbgrader = str(Path(sys.executable).with_name("nbgrader"))
            script = f"{nbgrader} autograde {lesson} && {nbgrader} generate_feedback {lesson}"
            grade = [sys.executable, "-m", "helpers.grading.grades", "grade", lesson]
            plain = measured(["bash", "-c", script], base / "plain")
            one = measured([*grade, "--course", str(base / "one"), "--jobs", "1"], base / "one")
            two = measured([*grade, "--course", str(base / "two"), "--jobs", "2"], base / "two")
        print(
            f"{lesson}, {students} students, seconds each: "
            f"plain nbgrader {plain[0] / students:.1f} (CPU {plain[1] / students:.1f}), "
            f"kit {one[0] / students:.1f} (CPU {one[1] / students:.1f}), "
            f"two jobs {two[0] / students:.1f} (CPU {two[1] / students:.1f}); "
            f"kit / plain {one[0] / plain[0]:.2f} (CPU {one[1] / plain[1]:.2f}), "
            f"one job / two {one[0] / two[0]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
