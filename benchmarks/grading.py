"""What grading costs: ``python benchmarks/grading.py [--students 30] [LESSON …]``.

A class of honest hand-ins is graded three times: by plain nbgrader (the notebook with its hidden
tests in one kernel) and by the kit (rebuilt, in a box, decided outside) on one core, then by the
kit with two jobs on two cores. For each, the minutes on the clock, the CPU seconds of all
processes (where a cgroup can be made: root on Linux) and the most memory that all held together.
On a busy machine only CPU seconds and memory mean something.

Each of the three is a line in ``grading.csv`` beside this file, written when it is done. What is
there for the same number of students is not measured again: after a stop, the same command goes
on. Rows of one lesson are compared only if they were measured in one go, or the machine was idle.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import psutil

from helpers.files import write_table
from helpers.grading import Course

KIT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_suffix(".csv")
ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")
KINDS = {"plain": 1, "kit": 1, "kit, two jobs": 2}  # cores
PLAIN = """
from nbgrader.converters import Autograde
for name in ("sanitize_preprocessors", "autograde_preprocessors"):
    c.Autograde[name] = Autograde.class_traits()[name].default()
c.Execute.timeout = 3600
"""


def new_class(folder: Path, lesson: str, students: int, *, plain: bool) -> None:
    """Make a course in which everybody hands in the solution; release the lesson."""
    text = (KIT / "nbgrader_config.py").read_text(encoding="utf-8")
    folder.mkdir()
    (folder / "nbgrader_config.py").write_text(text + (PLAIN if plain else ""), encoding="utf-8")
    (folder / "solutions").mkdir()
    names = (f"{lesson}.py", f"{lesson}.ipynb")
    for source in (KIT / "solutions" / lesson / name for name in names):
        (folder / "solutions" / lesson).mkdir(exist_ok=True)
        shutil.copy(source, folder / "solutions" / lesson)
    for k in range(students):
        target = folder / "grading" / "submitted" / f"student{k:02d}" / lesson
        target.mkdir(parents=True)
        shutil.copy(KIT / "solutions" / lesson / f"{lesson}.ipynb", target)
    grades = [sys.executable, "-m", "helpers.grading.grades", "release", lesson]
    subprocess.run([*grades, "--course", str(folder)], check=True, stdout=subprocess.DEVNULL)


def command(kind: str, lesson: str, folder: Path) -> list[str]:
    """Return the command that grades a class."""
    if kind == "plain":
        nbgrader = str(Path(sys.executable).with_name("nbgrader"))
        script = f"{nbgrader} autograde {lesson} && {nbgrader} generate_feedback {lesson}"
        return ["bash", "-c", script]
    grade = [sys.executable, "-m", "helpers.grading.grades", "grade", lesson]
    return [*grade, "--course", str(folder), "--jobs", str(KINDS[kind])]


def measured(kind: str, lesson: str, folder: Path) -> dict[str, float]:
    """Grade a class; return seconds on the clock, CPU seconds (nan where unknown), peak memory."""
    group = ACCOUNTS / f"bench{os.getpid()}"
    if ACCOUNTS.is_dir():
        group.mkdir(exist_ok=True)
        (group / "cpuacct.usage").write_text("0")
    cores = sorted(os.sched_getaffinity(0))[: KINDS[kind]]

    def begin() -> None:
        if group.is_dir():  # this process, and all that it starts, is counted
            (group / "cgroup.procs").write_text(str(os.getpid()))
        os.sched_setaffinity(0, cores)

    peak, over = [0.0], threading.Event()
    started = time.perf_counter()
    process = subprocess.Popen(
        command(kind, lesson, folder),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=begin,
    )
    watcher = threading.Thread(target=watch, args=(process.pid, peak, over))
    watcher.start()
    code = process.wait()
    clock = time.perf_counter() - started
    over.set()
    watcher.join()
    if code != 0:
        raise RuntimeError(f"{kind}, {lesson}: exit code {code}")
    cpu = int((group / "cpuacct.usage").read_text()) / 1e9 if group.is_dir() else float("nan")
    return {"clock_s": clock, "cpu_s": cpu, "peak_memory_MB": peak[0] / 1e6}


def watch(pid: int, peak: list[float], over: threading.Event) -> None:
    """Keep the most bytes that a process and its children held, without what they share."""
    while not over.wait(1.0):
        held = 0
        try:
            first = psutil.Process(pid)
            processes = [first, *first.children(recursive=True)]
        except psutil.Error:
            continue
        for process in processes:
            try:
                held += process.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], held)


def main() -> None:
    """Measure what is missing in the table; print it and the ratios."""
    lessons = [source.stem for source in Course().sources()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="*", help="by default all")
    parser.add_argument("--students", type=int, default=30)
    options = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(KIT))
    rows = pd.read_csv(RESULTS).to_dict("records") if RESULTS.exists() else []
    for lesson in options.lesson or lessons:
        for kind in KINDS:
            key = {"lesson": lesson, "students": options.students, "kind": kind}
            if any(key.items() <= row.items() for row in rows):
                continue
            with tempfile.TemporaryDirectory(prefix="bench") as name:
                folder = Path(name) / "class"
                new_class(folder, lesson, options.students, plain=kind == "plain")
                result = measured(kind, lesson, folder)
            when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
            rows.append({**key, **{k: round(v, 1) for k, v in result.items()}, "when": when})
            write_table(RESULTS, pd.DataFrame(rows), digits=None)
            print(rows[-1], flush=True)
    table = pd.DataFrame([row for row in rows if row["students"] == options.students])
    wide = table.pivot(index="lesson", columns="kind", values=["clock_s", "cpu_s"]).dropna()
    for column in ("clock_s", "cpu_s"):
        each, whole = wide[column], wide[column].sum()
        print(f"\n{column}, {options.students} students, {len(each)} lessons")
        print((each / options.students).round(1).to_string())
        print(f"kit / plain on one core: {whole['kit'] / whole['plain']:.2f}")
        if column == "clock_s":
            print(f"one job / two jobs: {whole['kit'] / whole['kit, two jobs']:.2f}")


if __name__ == "__main__":
    main()
