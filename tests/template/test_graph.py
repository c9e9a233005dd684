"""A drawn DAG shows exactly its edges: following the lines from box to box finds them again."""

from hypothesis import given, settings
from test_plan import dags, template

from tasker_mp.template.graph import dot, draw, mermaid

DIAMOND = {"start": [], "left": ["start"], "right": ["start"], "end": ["left", "right"]}

_UP, _DOWN, _LEFT, _RIGHT = (-1, 0), (1, 0), (0, -1), (0, 1)
_ARMS = {
    "│": {_UP, _DOWN},
    "─": {_LEFT, _RIGHT},
    "└": {_UP, _RIGHT},
    "┘": {_UP, _LEFT},
    "┌": {_DOWN, _RIGHT},
    "┐": {_DOWN, _LEFT},
    "├": {_UP, _DOWN, _RIGHT},
    "┤": {_UP, _DOWN, _LEFT},
    "┬": {_DOWN, _LEFT, _RIGHT},
    "┴": {_UP, _LEFT, _RIGHT},
    "┼": {_UP, _DOWN, _LEFT, _RIGHT},
}


def drawn_edges(text, names):
    """The edges that a reader sees. A horizontal line goes on behind a vertical one."""
    grid = [line.ljust(400) for line in text.splitlines()]
    boxes = {}
    for row, line in enumerate(grid):
        for name in names:
            at = line.find(f" {name} ")
            if at >= 0:
                left = line.rindex("│", 0, at + 1)
                boxes[name] = (row, left, line.index("│", at + 1))
    edges = set()
    for name, (row, left, right) in boxes.items():
        for column in range(left, right + 1):
            if grid[row + 1][column] == "┬":
                edges |= {(name, child) for child in follow(grid, boxes, row + 2, column)}
    return edges


def follow(grid, boxes, row, column):
    ends, seen, waiting = set(), set(), [(row, column, _DOWN)]
    while waiting:
        row, column, direction = state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        mark = grid[row][column]
        if mark == "▼":
            ends |= {
                name
                for name, (middle, left, right) in boxes.items()
                if middle == row + 2 and left < column < right
            }
            continue
        passes_behind = mark == "│" and direction in (_LEFT, _RIGHT)
        came_from = (-direction[0], -direction[1])
        assert passes_behind or came_from in _ARMS[mark], (row, column, mark)
        for arm in {direction} if passes_behind else _ARMS[mark] - {came_from}:
            waiting.append((row + arm[0], column + arm[1], arm))
    return ends


def edges_of(dependencies):
    return {(parent, name) for name, parents in dependencies.items() for parent in parents}


@settings(max_examples=300)
@given(dags())
def test_the_lines_drawn_are_the_edges(dependencies):
    assert drawn_edges(draw(template(dependencies), width=400), dependencies) == edges_of(
        dependencies
    )


def test_a_chain_is_drawn_straight():
    drawn = """\
 ┌─────┐
 │ one │
 └──┬──┘
    ▼
 ┌─────┐
 │ two │
 └──┬──┘
    ▼
┌───────┐
│ three │
└───────┘
"""
    assert draw(template({"one": [], "two": ["one"], "three": ["two"]})) == drawn


def test_a_diamond_is_drawn_symmetrically():
    dependencies = {"begin": [], "yes": ["begin"], "nay": ["begin"], "end": ["yes", "nay"]}
    drawn = """\
   ┌───────┐
   │ begin │
   └───┬───┘
   ┌───┴────┐
   ▼        ▼
┌─────┐  ┌─────┐
│ yes │  │ nay │
└──┬──┘  └──┬──┘
   └──┐ ┌───┘
      ▼ ▼
    ┌─────┐
    │ end │
    └─────┘
"""
    assert draw(template(dependencies)) == drawn


def test_a_long_dependency_passes_beside_the_boxes_between():
    dependencies = {"begin": [], "mid": ["begin"], "end": ["begin", "mid"]}
    drawn = """\
 ┌───────┐
 │ begin │
 └───┬───┘
   ┌─┴────┐
   ▼      │
┌─────┐   │
│ mid │   │
└──┬──┘   │
   └┐ ┌───┘
    ▼ ▼
  ┌─────┐
  │ end │
  └─────┘
"""
    assert draw(template(dependencies)) == drawn


def test_a_dag_too_wide_for_the_page_is_a_list():
    many = [f"step_{index}" for index in range(9)]
    text = draw(template({"root": [], **{name: ["root"] for name in many}, "join": many}), 80)
    lines = text.splitlines()
    assert lines[0] == "root"
    assert lines[1] == "step_0  ← root"
    assert lines[-1] == "join  ← step_0, step_1, step_2, step_3, step_4, … (9 in all)"


def test_steps_that_are_not_standard_say_so():
    drawn = template({"a": [], "b": ["a"]}, {"b": "decision"})
    assert "│ b (decision) " in draw(drawn)
    assert '"b" [label="b (decision)", shape=diamond];' in dot(drawn)
    assert 's2{"b (decision)"}' in mermaid(drawn)


def test_dot_and_mermaid_name_every_edge():
    drawn = template(DIAMOND)
    for parent, name in edges_of(DIAMOND):
        assert f'"{parent}" -> "{name}";' in dot(drawn)
    assert (
        mermaid(drawn)
        == """\
flowchart TD
  s1["start"]
  s2["left"]
  s3["right"]
  s4["end"]
  s1 --> s2
  s1 --> s3
  s2 --> s4
  s3 --> s4
"""
    )


def test_names_with_quotes_stay_inside_their_quotes():
    drawn = template({'say "hi"\\': []})
    assert r'"say \"hi\"\\" [label=' in dot(drawn)
    assert 's1["say #quot;hi#quot;' in mermaid(drawn)
