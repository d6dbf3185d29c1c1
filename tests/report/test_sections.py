"""The report: sections come and go, the page needs nothing but itself."""

import base64
import gzip
import json
import re

import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.errors import OutputError, WorkshopError
from helpers.report.sections import (
    ReportFigure,
    ReportTable,
    ReportView,
    Section,
    add_section,
)


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
    linked = set(re.findall(r"(?:src|href)=[\"']([^\"']+)", page))
    files = {"figures/first-1.svg", "figures/first-1.png", "tables/first-1.csv"}
    assert files <= linked
    assert all(link.startswith(("data:", "#")) for link in linked - files)
    assert "<script" not in page and "http" not in page


def test_figures_and_tables_lie_beside_the_page(tmp_path):
    add_section(full_section(), tmp_path)
    assert (tmp_path / "figures" / "first-1.svg").read_text().startswith("<?xml")
    assert (tmp_path / "figures" / "first-1.png").read_bytes()[:4] == b"\x89PNG"
    assert pd.read_csv(tmp_path / "tables" / "first-1.csv")["x"].tolist() == [1.23456]
    add_section(section("first-half", tables=full_section().tables), tmp_path)
    add_section(section(), tmp_path)  # an older section's files go with it, and no others
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["first-half-1.csv"]
    assert not list((tmp_path / "figures").iterdir())


def test_a_view_brings_its_program_and_can_load_nothing(tmp_path):
    data = {"meta": {"name": "</script>"}, "properties": {}}
    view = ReportView(data, "map", "To look at closely.")
    page = add_section(section(views=(view,)), tmp_path).read_text()
    assert page.count("</script>") == page.count("<script") == 3
    text = re.search(r'<script type="application/json">(.*?)</script>', page)[1]
    assert json.loads(text) == data
    program = re.search(r'id="viewer">(.*?)</script>', page)[1]
    assert b"Chemiscope" in gzip.decompress(base64.b64decode(program))
    assert "default-src 'none'" in page and "http" not in page.replace("http-equiv", "")
    with pytest.raises(ValueError, match="JSON"):
        add_section(section(views=(ReportView({"x": float("nan")}, "map", "x"),)), tmp_path)


def test_a_folded_table_is_one_that_a_reader_opens(tmp_path):
    table = ReportTable(pd.DataFrame({"name": ["a"]}), "All of them", folded=True)
    page = add_section(section(tables=(table,)), tmp_path).read_text()
    assert re.search(
        r"<details><summary>All of them .*<table .*class=\"dataframe words\"", page, re.S
    )


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
    for file in ("sections/10-first.html", "figures/first-1.svg", "figures/first-1.png"):
        first, second = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert first == second


def test_bad_names_and_places_are_refused(tmp_path):
    for name, order in [("../x", 1), ("Upper", 1), ("x", 100), ("", 1)]:
        with pytest.raises(WorkshopError, match="cannot be used"):
            section(name, order)
    with pytest.raises(OutputError, match="mkdir"):
        add_section(section(), tmp_path / "none")
