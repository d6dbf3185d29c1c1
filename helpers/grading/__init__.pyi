from .course import Course as Course
from .grades import grade as grade
