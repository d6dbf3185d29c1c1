"""What instructors need around nbgrader: building the notebooks, and grading a class."""
