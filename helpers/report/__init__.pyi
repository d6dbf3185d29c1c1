from .sections import Section as Section
from .sections import add_section as add_section
