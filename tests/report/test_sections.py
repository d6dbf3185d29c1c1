"""The report: sections come and go, the page needs nothing but itself."""

import re

import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.errors import OutputError, WorkshopError
from helpers.report.sections import ReportFigure, ReportTable, Section, add_section


def section(name="first", order=10, **options):
    return Section(name=name, order=order, title=f"On {name} & more", **options)


def full_section():
    figure = Figure()
    figure.add_subplot().plot([0, 1], [0, 1])
    return section(
        headline=(("1.2 meV", "an error"),),
        paragraphs=("a < b",),
        figures=(ReportFigure(figure, "A line.", 'a "line"'),),
        tables=(ReportTable(pd.DataFrame({"x": [1.23456]}), "Numbers"),),
    )


def test_everything_is_in_one_page(tmp_path):
    page = add_section(full_section(), tmp_path).read_text()
    assert 'src="data:image/png;base64,' in page and 'alt="a &#34;line&#34;"' in page
    assert "a &lt; b" in page and "1.2 meV" in page and ">1.23<" in page
    assert "On first &amp; more" in page and "&amp;amp;" not in page
    linked = re.findall(r"(?:src|href)=[\"']([^\"']+)", page)
    assert linked and all(link.startswith(("data:", "#")) for link in linked)
    assert "<script" not in page and "http" not in page


def test_sections_are_ordered_replaced_and_kept(tmp_path):
    add_section(section("late", 50, paragraphs=("gamma ray",)), tmp_path)
    add_section(section("early", 5, paragraphs=("alpha ray",)), tmp_path)
    page = add_section(section("middle", 20, paragraphs=("beta ray",)), tmp_path).read_text()
    assert page.index("alpha ray") < page.index("beta ray") < page.index("gamma ray")
    page = add_section(section("late", 1, paragraphs=("delta ray",)), tmp_path).read_text()
    assert "gamma ray" not in page and page.index("delta ray") < page.index("alpha ray")
    assert len(list((tmp_path / "sections").iterdir())) == 3


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        add_section(full_section(), tmp_path / name)
    first, second = ((tmp_path / name / "sections" / "10-first.html").read_bytes() for name in "ab")
    assert first == second


def test_bad_names_and_places_are_refused(tmp_path):
    for name, order in [("../x", 1), ("Upper", 1), ("x", 100), ("", 1)]:
        with pytest.raises(WorkshopError, match="cannot be used"):
            section(name, order)
    with pytest.raises(OutputError, match="mkdir"):
        add_section(section(), tmp_path / "none")
