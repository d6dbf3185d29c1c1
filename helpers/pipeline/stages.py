"""Stages of a long job: each is done once, resumes where the job was stopped, and fails alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import __version__
from helpers.errors import ConfigError, OutputError, WorkshopError, nearest
from helpers.files import check_writable, digest, make_folder, write_atomic
from helpers.pipeline.meter import Meter
from helpers.terminal import progress_bar

RECORDS = "stages"  # folder of one record a stage
COSTS = ("seconds", "cpu_seconds", "peak_memory_MB")


@dataclass(frozen=True)
class Stage:
    """A part of a job that reads some files of the results folder and writes others.

    Attributes
    ----------
    name : str
        Lower-case, one word or several with hyphens; for ``--only`` and ``--skip``.
    title : str
        What it does, in a few words.
    work : function (folder) → None
        Does it. An error that is a `WorkshopError` is the stage's failure; others end the job.
    settings : mapping
        What the result depends on besides files; anything that ``str`` tells apart.
    needs : tuple of str
        Stages whose results it reads.
    reads : tuple of Path
        Files outside the folder that it reads, such as training frames.
    writes : tuple of str
        The files in the folder that it leaves.
    seconds : float
        What it takes on two cores, about: its share of the progress bar until it is measured.
    no_basis : str
        What it would need and the data do not give. Then it is left out, with this line.
    """

    name: str
    title: str
    work: Callable[[Path], None] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()
    writes: tuple[str, ...] = ()
    seconds: float = 1.0
    no_basis: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a stage ended.

    Attributes
    ----------
    stage : str
    state : str
        ``"done"``, ``"kept"`` (done before, and nothing that it depends on has changed),
        ``"failed"``, ``"left out"`` (by ``--skip`` or ``--only``), ``"no basis"`` (the data do
        not give what it needs) or ``"not possible"`` (a stage that it needs has no results).
    seconds, cpu_seconds, peak_memory_MB : float
        Wall time, time of the processor, and memory of all processes together; of the run that
        made the results.
    reason : str
        Why it failed, has no basis or was not possible.
    """

    stage: str
    state: str
    seconds: float = 0.0
    reason: str = ""
    cpu_seconds: float = 0.0
    peak_memory_MB: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether its results are there and up to date."""
        return self.state in ("done", "kept")


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    progress: bool = True,
    say: Callable[[str], None] = print,
    after_each: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
) -> list[Outcome]:
    """Do the stages in their order; what is finished and up to date is not done again.

    Every finished stage leaves a record, ``stages/NAME.json``, with digests of what it read and
    wrote, so that a job that was stopped at any moment goes on with the stage that was not
    finished. A stage that fails does not disturb those that do not need it.

    Parameters
    ----------
    stages : sequence of Stage
        Each after those that it needs.
    folder : Path
        Of the results; made if its parent exists.
    only : collection of str
        Do these and what they need.
    skip : collection of str
        Do all but these.
    progress : bool
        Show a bar of all stages with the time left.
    say : callable
        Takes a line of news.
    after_each : callable
        Is given all outcomes so far after every stage.

    Returns
    -------
    list of Outcome
        Of all stages.

    Raises
    ------
    ConfigError
        If `only` or `skip` name a stage that does not exist, or the same one.
    OutputError
        If the folder cannot be written to.
    """
    wanted = _wanted(stages, only, skip)
    records = make_folder(make_folder(folder) / RECORDS)
    check_writable(records / "record.json")
    outcomes: list[Outcome] = []
    expected = {stage.name: _expected_seconds(stage, records) for stage in stages}
    total = sum(expected[name] for name in wanted)
    form = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, about {remaining} left"
    with progress_bar(total, "all stages", show=progress, bar_format=form) as bar:
        for stage in stages:
            bar.set_description_str(stage.title)
            outcome = _do(stage, folder, outcomes, wanted, say)
            outcomes.append(outcome)
            after_each(outcomes)
            if stage.name in wanted:
                bar.update(expected[stage.name])
    return outcomes


def _wanted(stages: Sequence[Stage], only: Collection[str], skip: Collection[str]) -> set[str]:
    """Return the names of the stages that are to be done, or looked at."""
    by_name = {stage.name: stage for stage in stages}
    for name in (*only, *skip):
        if name not in by_name:
            raise ConfigError(f"There is no stage {name!r}", fix=nearest(name, by_name))
    if both := set(only) & set(skip):
        raise ConfigError(f"{min(both)!r} is both in --only and in --skip", fix="keep one of them")
    wanted = set(only) or set(by_name)
    for stage in reversed(stages):
        if only and stage.name in wanted:
            wanted |= set(stage.needs)
    return wanted - set(skip)


def _do(
    stage: Stage,
    folder: Path,
    before: Sequence[Outcome],
    wanted: set[str],
    say: Callable[[str], None],
) -> Outcome:
    record_path = folder / RECORDS / f"{stage.name}.json"
    if stage.name not in wanted:
        return Outcome(stage.name, "left out")
    if stage.no_basis:
        record_path.unlink(missing_ok=True)
        say(f"{stage.title}: left out, {stage.no_basis}")
        return Outcome(stage.name, "no basis", reason=stage.no_basis)
    for outcome in before:
        stands = (
            outcome.state == "left out" and (folder / RECORDS / f"{outcome.stage}.json").exists()
        )
        if outcome.stage in stage.needs and not (outcome.ok or stands):
            words = {"failed": "failed", "no basis": "has no basis"}.get(
                outcome.state, f"is {outcome.state}"
            )
            reason = f"it needs the stage {outcome.stage}, which {words}"
            say(f"{stage.title}: not possible, {reason}")
            return Outcome(stage.name, "not possible", reason=reason)
    key = _key(stage, folder)
    record = _read(record_path)
    up_to_date = record.get("key") == key and record.get("wrote") == _digests(folder, stage.writes)
    if up_to_date and record.keys() >= set(COSTS):
        return Outcome(stage.name, "kept", **{name: record[name] for name in COSTS})
    say(f"\n{stage.title} …")
    record_path.unlink(missing_ok=True)  # from here on its results are not whole
    try:
        with Meter() as meter:
            stage.work(folder)
    except OutputError:
        raise
    except WorkshopError as error:
        say(f"{stage.title}: failed. {error}")
        return Outcome(stage.name, "failed", meter.seconds, str(error))
    wrote = _digests(folder, stage.writes)
    if missing := [name for name, mark in wrote.items() if mark is None]:
        raise AssertionError(f"{stage.name} did not write {missing[0]}")
    costs = {name: round(getattr(meter, name), 3) for name in COSTS}
    text = json.dumps({"key": key, "wrote": wrote, **costs}, indent=1)
    write_atomic(record_path, text + "\n")
    return Outcome(stage.name, "done", **costs)


def _key(stage: Stage, folder: Path) -> str:
    """Return a digest of all that the results of a stage depend on."""
    needs = [_read(folder / RECORDS / f"{name}.json").get("wrote") for name in stage.needs]
    parts = [stage.name, __version__, *(f"{k}={v}" for k, v in sorted(stage.settings.items()))]
    return digest(*parts, json.dumps(needs), *(path.read_bytes() for path in stage.reads))


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str | None]:
    return {
        name: digest((folder / name).read_bytes()) if (folder / name).is_file() else None
        for name in names
    }


def _read(record: Path) -> dict[str, Any]:
    """Return a record; an empty one if there is none that can be read."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _expected_seconds(stage: Stage, records: Path) -> float:
    return float(_read(records / f"{stage.name}.json").get("seconds", stage.seconds))
