#!/usr/bin/env python
"""Build the site of the course: ``make docs``, then open ``site/index.html``.

The pages are the Markdown files of the repository, the lessons as students get them, and the
docstrings of the public names. The lessons are run (some minutes, kept until the kit changes), so
that their figures can be shown; what answers and tests print is left out, and so are the solutions.
The site needs no network and no server: it can be read from a memory stick.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from helpers.errors import MissingToolError
from helpers.files import write_atomic
from helpers.terminal import progress_bar

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs" / "site"
# What students must not read, and what is not for readers.
LEFT_OUT = ("solutions/", "docs/mark_scheme.md", "tests/", "docs/site/")
FACES = {
    "helpers": "What most people need",
    "helpers.pipeline": "The whole handout",
    "helpers.datasets": "Your own frames",
    "helpers.gap": "Potentials",
    "helpers.sweeps": "Learning curves and grids of settings",
    "helpers.md": "Molecular dynamics",
    "helpers.sagpr": "Polarizabilities",
    "helpers.raman": "Raman spectra",
    "helpers.differentiable": "Gradients through simulations",
    "helpers.neural": "Neural potentials",
    "helpers.stability": "Stable simulations with them",
    "helpers.coarse_grained": "Coarse-grained bodies",
    "helpers.plots": "Figures",
    "helpers.report": "Report",
    "helpers.grading": "Grading",
    "helpers.errors": "Errors",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> list[Path]:
    """Return the Markdown files of the repository that become pages, relative to it."""
    command = ["git", "-c", "core.quotePath=false", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(
        [*command, "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:  # a downloaded archive
        paths = [p.relative_to(ROOT) for p in ROOT.rglob("*.md") if ".venv" not in p.parts]
    else:
        paths = [Path(line) for line in listed.stdout.splitlines()]
    return sorted(p for p in paths if not str(p).startswith(LEFT_OUT) and (ROOT / p).exists())


def stage_page(path: Path, stage: Path, staged: set[Path]) -> None:
    """Copy a page with everything it links to; a link to what is left out becomes its text."""

    def replace(link: re.Match[str]) -> str:
        picture, text, target, anchor = link.groups()
        if re.match(r"[a-z]+:", target):
            return link[0]
        aim = (ROOT / path.parent / target).resolve()
        aim = aim / "README.md" if aim.is_dir() else aim
        if not aim.is_relative_to(ROOT) or not aim.exists():
            raise SystemExit(f"{path}: the link to {target} leads nowhere")
        inside = aim.relative_to(ROOT)
        if str(inside).startswith(LEFT_OUT):
            return text
        if inside not in staged:  # a picture or a file to download
            (stage / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(aim, stage / inside)
        return f"{picture}[{text}]({os.path.relpath(aim, ROOT / path.parent)}{anchor or ''})"

    (stage / path).parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / path).read_text(encoding="utf-8")
    (stage / path).write_text(LINK.sub(replace, text), encoding="utf-8")


def reference_pages() -> dict[str, str]:
    """Return a page of reference for each face, by file name; each name is documented once."""
    from importlib import import_module

    texts, documented = {}, set()
    for number, (face, title) in reversed([*enumerate(FACES.items())]):  # rooms before `helpers`
        module = import_module(face)
        names = getattr(module, "__all__", [n for n in vars(module) if n.endswith("Error")])
        own = [name for name in names if id(getattr(module, name)) not in documented]
        documented |= {id(getattr(module, name)) for name in own}
        members = f"   :members: {', '.join(own)}"
        texts[f"{number}_{face}.md"] = (
            f"# {title}: `{face}`\n\n```{{eval-rst}}\n.. automodule:: {face}\n{members}\n```\n"
        )
    return texts


def run_lesson(lesson: str, cache: Path) -> Any:
    """Return a lesson's solution with its outputs, kept in `cache` until the kit changes."""
    from nbclient import NotebookClient

    path = ROOT / "solutions" / lesson / f"{lesson}.ipynb"
    key = hashlib.sha256(path.read_bytes())
    for source in sorted((ROOT / "helpers").rglob("*.py")):
        key.update(source.read_bytes())
    kept = cache / f"{lesson}-{key.hexdigest()[:16]}.ipynb"
    if not kept.exists():
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            NotebookClient(notebook, timeout=1200, resources=resources).execute()
        write_atomic(kept, nbformat.writes(notebook))
    return nbformat.read(kept, as_version=4)


def student_edition(lesson: str, solution: Any | None) -> Any:
    """Return the students' notebook; with the outputs of those cells that both editions share."""
    notebook = nbformat.read(ROOT / "notebooks" / lesson / f"{lesson}.ipynb", as_version=4)
    notebook.metadata.language_info["pygments_lexer"] = "ipython3"  # knows lines with ! and %
    run = {cell.id: cell for cell in solution.cells} if solution else {}
    for cell in notebook.cells:
        other = run.get(cell.id)
        if cell.cell_type == "code" and other is not None and other.source == cell.source:
            if not cell.metadata.get("nbgrader", {}).get("grade"):
                cell.outputs = [shown for output in other.outputs if (shown := still(output))]
    return notebook


def still(output: Any) -> Any | None:
    """Return an output as a page without a kernel can show it; None if there is nothing to show."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    data = {kind: text for kind, text in output.data.items() if "widget" not in kind}
    if len(data) < len(output.data):  # a widget, whose text is only its name
        return None
    output.data = data
    return output


def build(output: Path, *, run: bool) -> None:
    """Build the site.

    Parameters
    ----------
    output : Path
        Folder of the site; what was there before is replaced once the new one is complete.
    run : bool
        Whether to run the lessons, for their figures.
    """
    try:
        from sphinx.cmd.build import build_main
    except ImportError as error:
        raise MissingToolError(
            "Sphinx is not installed", fix="make setup, or pip install '.[dev]'"
        ) from error
    lessons = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*"))
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        stage, made = Path(scratch, "source"), Path(scratch, "site")
        markdown = pages()
        for page in markdown:
            stage_page(page, stage, set(markdown))
        shutil.copytree(SOURCE, stage, dirs_exist_ok=True)
        with progress_bar(len(lessons), "lessons", show=run) as bar:
            for lesson in lessons:
                solution = run_lesson(lesson, ROOT / ".site_cache") if run else None
                edition = student_edition(lesson, solution)
                folder = stage / "notebooks" / lesson
                folder.mkdir(parents=True)
                nbformat.write(edition, folder / f"{lesson}.ipynb")
                bar.update()
        (stage / "reference").mkdir()
        for name, text in reference_pages().items():
            (stage / "reference" / name).write_text(text, encoding="utf-8")
        code = build_main(["-q", "-W", "--keep-going", "-b", "html", str(stage), str(made)])
        if code:
            raise SystemExit("The site is not built: mend what Sphinx names above")
        shutil.rmtree(output, ignore_errors=True)
        made.rename(output)
    print(f"The site is {output / 'index.html'}")


def main(options: argparse.Namespace) -> int:
    """Build the site as the command line asks."""
    build(options.output.resolve(), run=not options.no_run)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="default: site/")
    parser.add_argument("--no-run", action="store_true", help="without figures, in a minute")
    sys.exit(main(parser.parse_args()))
