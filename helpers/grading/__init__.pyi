from .classroom import grade as grade
from .course import Course as Course
