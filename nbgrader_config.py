"""The course for nbgrader: solutions/ → notebooks/; all that a class hands in stays in grading/."""

import os
from pathlib import Path

from nbconvert.preprocessors import TagRemovePreprocessor
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.preprocessors import Execute

from helpers.grading.nbgrader_steps import Decide, Rebuild

c = get_config()  # noqa: F821  (given by whoever reads this file)

# JupyterLab runs this file without telling where it is, but starts in its folder.
root = Path(__file__).parent if "__file__" in globals() else Path.cwd()
c.CourseDirectory.root = str(root.resolve())
c.CourseDirectory.course_id = "mlmd"

c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
for step in ("submitted", "autograded", "feedback", "source_with_tests", "solution"):
    setattr(c.CourseDirectory, f"{step}_directory", f"grading/{step}")
sqlite = f"sqlite:///{root.resolve() / 'grading' / 'gradebook.db'}"
c.CourseDirectory.db_url = os.environ.get("MLMD_GRADEBOOK") or sqlite  # docs/grading.md
c.Exchange.root = str(root.resolve() / "grading" / "exchange")

# Neither for students nor from them: programs (a helpers.py would take the kit's place), and what
# running a lesson leaves behind. Discussions come with the solution.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "__pycache__",
    "*.py",
    "*.pyc",
    "cache",
    "results",
    *(f"*.{kind}" for kind in ("cfg", "csv", "idx", "log", "npz", "traj", "xml", "xml.*", "xyz")),
]
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = ["discussion"]
steps = GenerateAssignment.class_traits()["preprocessors"].default()
c.GenerateAssignment.preprocessors = [TagRemovePreprocessor, *steps]

c.ClearSolutions.text_stub = "YOUR ANSWER HERE"

# A hand-in is rebuilt from the release, runs in a box, and is decided outside (docs/grading.md),
# whether `make grade`, Formgrader's button or `nbgrader autograde` starts it.
steps = Autograde.class_traits()["sanitize_preprocessors"].default()
c.Autograde.sanitize_preprocessors = [Rebuild, *steps]
steps = Autograde.class_traits()["autograde_preprocessors"].default()
c.Autograde.autograde_preprocessors = [Decide if step is Execute else step for step in steps]
