from .canaries import check_canaries as check_canaries
from .course import Course as Course
from .grades import grade as grade
