"""The site: complete, linked, without a network, and without answers."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

pytest.importorskip("furo")
pytestmark = pytest.mark.xdist_group("site")  # built once
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import build  # noqa: E402

sys.path.remove(str(ROOT / "docs" / "site"))
LESSONS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site without figures; Sphinx makes an error of every warning, such as a dead link."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, build.SOURCE / "build.py", "--no-run", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Page(HTMLParser):
    """Ids, links and loaded files of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif values.get("src") or (tag == "link" and values.get("href")):
            self.loaded.append(values.get("src") or values["href"])


@pytest.mark.slow
def test_every_link_leads_somewhere_and_nothing_comes_from_the_network(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 30
    dead = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme:
                assert link not in page.loaded, f"{path.name} loads {link}"
                continue
            aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not aim.exists() or (
                parts.fragment
                and aim in pages
                and parts.fragment != "top"
                and unquote(parts.fragment) not in pages[aim].ids
            ):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


@pytest.mark.slow
def test_every_public_name_is_documented_once(site):
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "reference").iterdir())
    for face in build.FACES:
        module = import_module(face)
        for name in getattr(module, "__all__", ()):
            assert re.search(rf'id="helpers\.[\w.]*\b{name}"', text) or not callable(
                getattr(module, name)
            ), f"{face}.{name}"


@pytest.mark.slow
def test_answers_are_left_out(site):
    pages = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert "MARK SCHEME" not in pages and "HIDDEN TESTS" not in pages
    assert pages.count("YOUR CODE HERE") >= len(LESSONS)


@pytest.mark.parametrize("lesson", LESSONS)
def test_outputs_are_those_of_cells_that_students_also_have(lesson):
    solution = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    for cell in solution.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="printed")]
    for cell in build.student_edition(lesson, solution).cells:
        if cell.cell_type == "code":
            asked = "nbgrader" in cell.metadata and (
                cell.metadata.nbgrader.solution or cell.metadata.nbgrader.grade
            )
            assert bool(cell.outputs) != asked, cell.id


def test_a_widget_is_left_out_and_a_picture_stays():
    new_output = nbformat.v4.new_output
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "Bar()"}
    assert build.still(new_output("display_data", data=widget)) is None
    assert build.still(new_output("stream", name="stderr", text="100 %")) is None
    picture = new_output("display_data", data={"image/png": "", "text/plain": "<Figure>"})
    assert "image/png" in build.still(picture).data
