"""Values as short text: one line, nothing that could redraw a terminal."""

import pytest

from tasker_mp.cli.output import fitting, short_duration, short_json, single_line


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert single_line("a\x1b[2Jb\r\nc\x07") == "a [2Jb c"


def test_long_lines_are_cut() -> None:
    assert single_line("x" * 20, 10) == "x" * 9 + "…"


def test_a_lone_result_is_shown_without_its_wrapping() -> None:
    assert short_json({"result": 6**64, "operation": "square"}) == str(6**64)
    assert short_json({"a": [1, None]}) == '{"a":[1,null]}'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (119.9, "119.9 s"),
        (150, "2 min 30 s"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert short_duration(seconds) == text


def test_where_there_is_room_every_column_stays_whole() -> None:
    natural = {"task": 36, "state": 8, "took": 7, "template": 40}
    assert fitting(natural, 97, ["took", "state"]) == natural


def test_a_narrow_table_loses_its_optional_columns_before_it_is_cut() -> None:
    natural = {"task": 36, "state": 8, "took": 7, "template": 40}
    assert fitting(natural, 80, ["took", "state"]) == natural | {"template": 23}
    assert fitting(natural, 75, ["took", "state"]) == {"task": 36, "state": 8, "template": 27}
    assert fitting(natural, 60, ["took", "state"]) == {"task": 36, "template": 22}


def test_what_identifies_a_row_is_never_cut() -> None:
    assert fitting({"task": 36, "template": 40}, 20, []) == {"task": 36, "template": 1}
