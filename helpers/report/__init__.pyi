from .sections import ReportFigure as ReportFigure
from .sections import ReportTable as ReportTable
from .sections import ReportView as ReportView
from .sections import Section as Section
from .sections import add_section as add_section
