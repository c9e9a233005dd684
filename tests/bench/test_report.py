"""One page from saved documents: all that they hold, and nothing from elsewhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from saved_documents import document, save, series

from bench.document import Document
from bench.html import html_page
from bench.plot import plot
from bench.report import markdown_page, report
from bench.saved import UnreadableError, in_order, latest, read

_VOID = {"meta"}


class Balanced(HTMLParser):
    """Fails where an element is not closed in its place; gathers the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, _: object) -> None:
        pass

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parsed(page: str) -> str:
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def _goals(*, met: bool) -> Document:
    return document(series("<linear> & co", goal=90.0 if met else 900.0, note="What it is."))


def test_the_page_has_goals_tables_figures_problems_and_the_machine() -> None:
    found = document(
        series(goal=90.0), series("tree", note="A tree."), interrupted=True, problems=["order: no"]
    )
    text = _parsed(html_page("Figures", [found]))
    for part in ("Run (partial)", "order: no", "Z80", "fsync", "tree", "A tree.", "≥ 90", "yes"):
        assert part in text, part
    assert "101.5 100 - 103 steps/s" in text
    shown = markdown_page("Figures", [found])
    assert "| linear | steps/s | 101.5 | 100 - 103 | ≥ 90 | yes |" in shown
    assert "### Patterns" in shown
    assert "| linear | 2.50 |" in shown
    assert "Partial" in shown
    assert "Not measured: order: no" in shown


def test_a_goal_that_is_missed_is_marked() -> None:
    for met, kind in ((True, "met"), (False, "missed")):
        page = html_page("Figures", [_goals(met=met)])
        assert f'class="goal {kind}"' in page
        assert f'<td class="{"yes" if met else "no"}">' in page


def test_the_page_needs_nothing_else_and_takes_nothing_for_markup() -> None:
    page = html_page("Figures", [_goals(met=True)])
    assert "<linear> & co" in _parsed(page)
    assert not re.search(r"<script|<link|src=|url\(|https?:", page)


def _svg(*group: object) -> ElementTree.Element:
    return ElementTree.fromstring(plot(group))  # type: ignore[arg-type]


def _all(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == kind]


def _ends(root: ElementTree.Element) -> Iterator[float]:
    for bar in _all(root, "bar"):
        yield float(bar.get("x", "")) + float(bar.get("width", ""))


def test_bars_are_as_long_as_their_medians_and_each_round_is_a_dot() -> None:
    root = _svg(series("one", [50.0, 100.0, 150.0]), series("two", [200.0]))
    start = float(_all(root, "bar")[0].get("x", ""))
    one, two = (end - start for end in _ends(root))
    assert one / two == pytest.approx(0.5, abs=0.01)
    dots = [float(dot.get("cx", "")) - start for dot in _all(root, "dot")]
    assert [dot / two for dot in dots] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.01)
    assert [value.text for value in _all(root, "value")] == ["100", "200"]


@pytest.mark.parametrize(
    "samples", [[0.0], [0.0004, 0.0005], [1.0], [99_999_999.0], [-1.0, 2.0], [-1.0]]
)
def test_whatever_is_measured_stays_within_the_plot(samples: list[float]) -> None:
    root = _svg(series("some", samples, goal=1.5))
    width = float(root.get("viewBox", "").split()[2])
    places = [float(dot.get("cx", "")) for dot in _all(root, "dot")]
    start = float(_all(root, "bar")[0].get("x", ""))
    assert all(start <= place <= width for place in [*places, *_ends(root)])
    assert 2 <= len(_all(root, "tick")) <= 12


# -- the command ----------------------------------------------------------------------------------


def _report(*files: Path, folder: Path) -> Result:
    return CliRunner().invoke(report, [*map(str, files), "--save", str(folder)])


def test_the_command_writes_both_pages_in_the_order_of_the_commands(tmp_path: Path) -> None:
    peers = save(tmp_path / "1.json", document(series(), bench="peers"))
    run = save(tmp_path / "2.json", document(series(), bench="run"))
    assert _report(peers, run, folder=tmp_path / "out").exit_code == 0
    pages = {path.suffix: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert set(pages) == {".md", ".html"}
    for page in pages.values():
        assert page.index("Run") < page.index("Peers")


def test_without_files_the_latest_of_each_command_is_taken(tmp_path: Path) -> None:
    for number, samples in (("2", [2.0]), ("3", [3.0]), ("1", [1.0])):
        day = f"2026-01-0{number}T00:00:00+00:00"
        save(tmp_path / f"{number}.json", document(series(samples=samples), started_at=day))
    (tmp_path / "old.json").write_text('{"patterns": []}')
    assert [read(path).series[0].samples for path in latest(tmp_path)] == [[3.0]]
    result = _report(folder=tmp_path)
    assert result.exit_code == 0
    assert "old.json" not in result.output


def test_a_file_that_cannot_be_read_is_a_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = save(tmp_path / "good.json", document(series()))
    texts = {"broken": "{", "old": '{"patterns": []}', "binary": "\0", "number": "7"}
    for name, text in texts.items():
        (tmp_path / f"{name}.json").write_text(text)
    save(tmp_path / "empty.json", document(tables=[]))
    bad = [tmp_path / f"{name}.json" for name in (*texts, "empty", "missing")]
    result = _report(*bad, good, folder=tmp_path / "out")
    assert result.exit_code == 1
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert [str(path) in line for path, line in zip(bad, errors, strict=True)] == [True] * 6
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_nothing_to_report_on_is_an_error_with_the_cure(tmp_path: Path) -> None:
    result = _report(folder=tmp_path / "none")
    assert isinstance(result.exception, UnreadableError)
    assert "--save" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_documents_of_one_command_are_in_the_order_of_time() -> None:
    found = [document(started_at=f"2026-01-0{day}T00:00:00+00:00") for day in (2, 1)]
    assert [each.started_at[9] for each in in_order(found)] == ["1", "2"]
