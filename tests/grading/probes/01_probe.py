# %% [markdown]
# # 01 · A lesson for tests of grading
#
# Six exercises in a minute: a number, a function, an array, a file, a model, a text.

# %%
from pathlib import Path

import numpy as np

numbers = np.arange(1, 101)

# %% [markdown]
# ## Exercise 1.1: a number (2 points)

# %% nbgrader={"grade": false, "grade_id": "ex1-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# total = …
### BEGIN SOLUTION
total = int(numbers.sum())
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test1-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The sum of the numbers
assert total > 0, "the sum is above zero"
### BEGIN HIDDEN TESTS
assert float(total) == 5050, f"expected the sum of all numbers, 5050; found {float(total)}"
### END HIDDEN TESTS

# %% [markdown]
# ## Exercise 1.2: a function (3 points)


# %% nbgrader={"grade": false, "grade_id": "ex1-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaled(values, factor):
    """Return all values times a factor."""
    ### BEGIN SOLUTION
    return np.asarray(values) * factor
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test1-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# A function of arrays: right (2 points), and its arguments stay as they were (1 point)
assert callable(scaled), "scaled should be a function"
### BEGIN HIDDEN TESTS
import numpy as _np

_rng = _np.random.default_rng()
_values, _factor = _rng.normal(size=7), float(_rng.normal())
_before = _values.copy()
_score = 2.0 * _np.allclose(scaled(_values, _factor), _before * _factor)
_score += 1.0 * (_score > 0 and _np.array_equal(_values, _before))
if _score < 3:
    print("expected every value times the factor, and the argument as it was")
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# ## Exercise 1.3: an array (2 points)

# %% nbgrader={"grade": false, "grade_id": "ex1-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# squares = …
### BEGIN SOLUTION
squares = numbers**2
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test1-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The squares of the numbers
assert len(squares) == len(numbers), "one square for each number"
### BEGIN HIDDEN TESTS
import numpy as _np

_np.testing.assert_allclose(_np.asarray(squares, float), _np.arange(1, 101) ** 2.0)
### END HIDDEN TESTS

# %% [markdown]
# ## Exercise 1.4: a file (1 point)

# %% nbgrader={"grade": false, "grade_id": "ex1-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# Write the word "water" to note.txt.
### BEGIN SOLUTION
note = Path("note.txt")
note.write_text("water")
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test1-4", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The file
assert Path("note.txt").is_file(), "there is no file note.txt"
### BEGIN HIDDEN TESTS
assert Path("note.txt").read_text().strip() == "water", "expected the word water in the file"
### END HIDDEN TESTS

# %% [markdown]
# ## Exercise 1.5: a model (2 points)


# %% nbgrader={"grade": false, "grade_id": "ex1-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# model = …   with a method predict and an attribute history (a list)
### BEGIN SOLUTION
class Line:
    """y = 2 x + 1."""

    history = [1.0, 0.5]

    def predict(self, x):
        """Return y."""
        return 2 * np.asarray(x) + 1


model = Line()
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test1-5", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# A model: its predictions and its history
assert len(model.history) > 0, "the model has a history"
### BEGIN HIDDEN TESTS
import numpy as _np

_x = _np.random.default_rng().normal(size=5)
assert _np.allclose(model.predict(_x), 2 * _x + 1), "expected y = 2 x + 1"
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": true, "grade_id": "text1-6", "locked": false, "points": 1, "schema_version": 3, "solution": true, "task": false}
# Because it is so.
#
# === BEGIN MARK SCHEME ===
# - 1 point: says why it is so, in a sentence
# === END MARK SCHEME ===
