from .reading import Dataset as Dataset
from .reading import from_atoms as from_atoms
from .reading import read_dataset as read_dataset
from .splitting import Split as Split
from .splitting import split_dataset as split_dataset
