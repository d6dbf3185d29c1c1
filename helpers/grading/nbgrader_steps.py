"""Two steps that nbgrader takes in place of its own, whoever starts it (``nbgrader_config.py``).

nbgrader runs the notebook of a student in a kernel with the instructor's rights, and takes the
marks from what that kernel shows. With `Rebuild` and `Decide` it gets a notebook that was rebuilt
from the release, and outputs that `helpers.grading.examine` found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor

from helpers.grading.rebuild import rebuild
from helpers.grading.records import Records
from helpers.grading.sanitize import harmless_markdown


class Rebuild(NbGraderPreprocessor):
    """Put the student's answers into the release; comes first."""

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the rebuilt notebook."""
        records = Records.of(Path(self.config.CourseDirectory.root))
        lesson = records.lesson(resources["nbgrader"]["assignment"])
        return rebuild(nbformat.writes(nb).encode(), lesson.release).notebook, resources


class Decide(NbGraderPreprocessor):
    """Put in what the cells showed and what the tests decided; comes instead of `Execute`."""

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the notebook with outputs; every test has a number of points, or an error."""
        info = resources["nbgrader"]
        records = Records.of(Path(self.config.CourseDirectory.root))
        lesson = records.lesson(info["assignment"])
        record = records.examine(lesson, info["student"], nb)
        for cell in nb.cells:
            if cell.cell_type == "code":
                outputs = record.outputs.get(cell.id, [])
                if cell.id in lesson.tests and not outputs:
                    outputs = NO_RESULT
                cell.outputs = [nbformat.from_dict(output) for output in outputs]
                cell.execution_count = None
            elif cell.id.startswith("own-") or cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = harmless_markdown(cell.source)
        return nb, resources


NO_RESULT = [
    {
        "output_type": "error",
        "ename": "NoResult",
        "evalue": "",
        "traceback": ["no result: 0 points"],
    }
]
