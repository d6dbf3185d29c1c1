"""The cache: the same content, the same key; whole entries or none."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from helpers import GapConfig
from helpers.errors import CacheError, OutputError, WorkshopError
from helpers.sweeps.cache import Cache, frames_digest, point_key

KEY = "ab" + "0" * 62
RESULT = {"cost": {"fit_seconds": 1.5}, "errors": [{"set": "training"}]}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "new" / "cache")


def files(cache):
    return sorted(str(path.relative_to(cache.folder)) for path in cache.folder.rglob("*.*"))


def test_what_is_put_in_comes_out_with_its_model(cache):
    assert cache.get(KEY) is None
    stored = cache.put(KEY, RESULT, b"<model/>")
    assert Cache(cache.folder).get(KEY) == stored
    assert {**RESULT, "model_path": stored["model_path"]} == stored
    with open(stored["model_path"], "rb") as model:
        assert model.read() == b"<model/>"
    assert files(cache) == [f"ab/{KEY}/gap.xml", f"ab/{KEY}/point.json", "cache.json"]


def test_the_second_of_two_who_compute_the_same_is_no_trouble(cache):
    cache.put(KEY, RESULT, b"first")
    again = Cache(cache.folder).put(KEY, RESULT, b"second")
    with open(again["model_path"], "rb") as model:
        assert model.read() == b"first"
    assert len(files(cache)) == 3


@pytest.mark.parametrize("name", ["gap.xml", "point.json"])
@pytest.mark.parametrize("spoil", ["cut", "remove"])
def test_a_damaged_entry_is_removed_and_can_be_made_again(cache, name, spoil):
    path = cache.folder / "ab" / KEY / name
    cache.put(KEY, RESULT, b"<model/>")
    path.write_bytes(path.read_bytes()[:-3]) if spoil == "cut" else path.unlink()
    assert cache.get(KEY) is None
    assert files(cache) == ["cache.json"]
    cache.put(KEY, RESULT, b"<model/>")
    assert cache.get(KEY) is not None


def test_the_key_depends_on_what_matters_only(frames10, monkeypatch):
    data = frames_digest(frames10, "dft_energy", "dft_forces")

    def key_of(data=data, engine="gap_fit", judge="validation", **changes):
        config = GapConfig().replace(**changes)
        return point_key(config, data, engine=engine, judge=judge)

    key = key_of()
    assert key_of(gap_file="other.xml", atoms_filename="b.xyz") == key
    changed = [atoms.copy() for atoms in frames10]
    assert frames_digest(changed, "dft_energy", "dft_forces") == data
    changed[9].arrays["dft_forces"][47, 2] += 1e-9
    others = {
        key_of(cutoff=3.3),
        key_of(rnd_seed=2),
        key_of(engine="jax"),
        key_of(judge="trajectories"),
        key_of(frames_digest(changed, "dft_energy", "dft_forces")),
        key_of(frames_digest(frames10[:9], "dft_energy", "dft_forces")),
    }
    monkeypatch.setattr(metadata, "version", lambda name: "0.11")
    others.add(key_of())
    assert len(others) == 7 and key not in others


@pytest.mark.parametrize("mark", ['{"format": 999}', "{", "[]"])
def test_a_cache_of_another_version_is_refused_and_left_alone(cache, mark):
    (cache.folder / "cache.json").write_text(mark)
    with pytest.raises(CacheError, match="another version.*Expected: format 3.*delete this one"):
        Cache(cache.folder)
    assert (cache.folder / "cache.json").read_text() == mark


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Cache(tmp_path / "file" / "cache")


FULL_DISK = """
import resource, sys
from helpers.errors import WorkshopError
from helpers.sweeps.cache import Cache
cache = Cache(sys.argv[1])
cache.put("aa" * 32, {"n": 1}, b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))  # what a full disk does to a file
try:
    cache.put("bb" * 32, {"n": 2}, b"x" * 20000)
except WorkshopError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_costs_no_older_entry(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout and "free space" in done.stdout
    cache = Cache(tmp_path)
    assert cache.get("aa" * 32)["n"] == 1 and cache.get("bb" * 32) is None
    assert files(cache) == [f"aa/{'aa' * 32}/gap.xml", f"aa/{'aa' * 32}/point.json", "cache.json"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_entries_are_plain_json(cache):
    cache.put(KEY, RESULT, b"<model/>")
    stored = json.loads((cache.folder / "ab" / KEY / "point.json").read_text())
    assert stored["result"] == RESULT and stored["key"] == KEY
    assert issubclass(CacheError, WorkshopError)
