"""``mlmd run`` killed in every stage: ``python benchmarks/main_job_killed.py [--preset quick]``.

The job runs once undisturbed. Then it runs in another folder, where each stage in its turn is hit
by ``kill -9`` in the middle of its work, and the same command is typed again. In the end every
table, array and trajectory has to be that of the undisturbed job to the last digit, except for
what a clock says; and the stages that were finished before a kill must not have been done again.
Writes ``main_job_killed.csv`` beside this file; the exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.pipeline.handout import PRESETS, handout_stages

TABLE = Path(__file__).with_name("main_job_killed.csv")
CLOCK = re.compile(r"second|memory|_MB|, s$|, MB$|wall|processor|model_path", re.IGNORECASE)
# Tables that tell times and memory in their rows: the cost, the fit, stages, versions.
CLOCK_TABLES = re.compile(
    r"(nve|nvt)_cost|dynamics-n..-3|training_cost|provenance-|settings-1|summary-1"
)
LATEST_S = 6.0  # after the beginning of a stage: later it may be finished if others leave room
KEPT = (".xml", ".xyz", ".npz", ".npy", ".log", ".cfg")


def start(folder: Path, preset: str, log: Path) -> subprocess.Popen:
    """Start the command that a user types, as the leader of its processes."""
    command = [sys.executable, "-m", "helpers.cli", "run", f"--{preset}", "--no-progress"]
    with log.open("a") as said:
        return subprocess.Popen(
            [*command, "--output", str(folder)], stdout=said, stderr=said, start_new_session=True
        )


def kill_in_stage(
    folder: Path, preset: str, log: Path, titles: dict[str, str], stage: str, after_s: float
) -> bool:
    """Start, wait until a stage has worked for a while, kill; return whether it hit."""
    log.unlink(missing_ok=True)
    running = start(folder, preset, log)
    try:
        while f"\n{titles[stage]} …" not in "\n" + log.read_text():
            if running.poll() is not None:
                return False
            time.sleep(0.02)
        time.sleep(after_s)
    finally:
        try:
            os.killpg(running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        running.wait()
    return not (folder / "stages" / f"{stage}.json").exists()


def without_clock(path: Path) -> pd.DataFrame:
    """Return a table less its columns of times and memory."""
    table = pd.read_csv(path, dtype=str)
    return table[[name for name in table.columns if not CLOCK.search(name)]]


def results(folder: Path) -> dict[str, str]:
    """Return a digest of the contents of each result, by name."""
    found = {}
    for path in sorted([*folder.iterdir(), *(folder / "tables").iterdir()]):
        if path.suffix == ".csv" and not CLOCK_TABLES.match(path.name):
            content = without_clock(path).to_csv().encode()
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                content = b"".join(name.encode() + file[name].tobytes() for name in sorted(file))
        elif path.suffix in KEPT:
            content = path.read_bytes()
        else:
            continue
        found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def records(folder: Path) -> dict[str, tuple[str, int]]:
    """Return the record of each finished stage, and when it was written."""
    return {
        path.stem: (path.read_text(), path.stat().st_mtime_ns)
        for path in (folder / "stages").glob("*.json")
    }


def main() -> int:
    """Kill in every stage, compare, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", choices=tuple(PRESETS), default="quick")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the two jobs here; default: nowhere")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    titles = {stage.name: stage.title for stage in handout_stages(PRESETS[given.preset]())}
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        place = given.folder or Path(temporary)
        whole, broken, log = place / "whole", place / "broken", place / "log"
        assert start(whole, given.preset, log).wait() == 0, log.read_text()
        took = {name: json.loads(text)["seconds"] for name, (text, _) in records(whole).items()}
        done: dict[str, tuple[str, int]] = {}
        for stage in titles:
            after_s, hit = min(rng.uniform(0.2, 0.8) * took[stage], LATEST_S), False
            while not hit:
                hit = kill_in_stage(broken, given.preset, log, titles, stage, after_s)
                after_s /= 2  # it was finished already: kill it earlier the next time
                if not hit:
                    (broken / "stages" / f"{stage}.json").unlink()
            now = records(broken)
            again = [name for name in done if now.get(name) != done[name]]
            rows.append(
                {
                    "stage": stage,
                    "killed_after_s": round(2 * after_s, 2),
                    "of_s": round(took[stage], 2),
                    "finished_before": len(done),
                    "done_again": " ".join(again),
                }
            )
            print(rows[-1], flush=True)
            done = now
        assert start(broken, given.preset, log).wait() == 0, log.read_text()
        now = records(broken)
        twice = [name for name in done if now[name] != done[name]]
        expected, found = results(whole), results(broken)
    names = sorted(expected.keys() | found.keys())
    different = [name for name in names if expected.get(name) != found.get(name)]
    table = pd.DataFrame(rows)
    table["results"], table["different"] = len(names), " ".join(different)
    table.to_csv(TABLE, index=False)
    print(f"{len(names)} results compared, different: {different or 'none'}; twice: {twice}")
    return int(bool(different or twice or table["done_again"].any()))


if __name__ == "__main__":
    sys.exit(main())
