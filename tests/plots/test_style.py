"""Figures with a text: in the page, once, and never without words."""

import base64
import re

import matplotlib.pyplot as plt
import pytest

from helpers.errors import DataError
from helpers.plots.style import with_alt_text

TEXT = 'Errors of "oxygen" & hydrogen: 0.99 and 0.70 eV/Å.'


def test_a_page_gets_the_picture_with_its_text():
    figure, ax = plt.subplots()
    bundle = with_alt_text(ax, TEXT)._repr_mimebundle_()
    (alt, picture) = re.findall(
        r'alt="([^"]*)" src="data:image/png;base64,([^"]*)"', bundle["text/html"]
    )[0]
    assert alt == TEXT.replace("&", "&amp;").replace('"', "&quot;")
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert bundle["text/plain"] == TEXT
    assert not plt.fignum_exists(figure.number), "or it would be shown twice"


def test_a_figure_without_words_is_refused():
    with pytest.raises(DataError, match="'A plot.' does not tell.*Expected: a sentence"):
        with_alt_text(plt.figure(), "A plot.")
    plt.close("all")
