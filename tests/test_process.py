"""What the kernel's counters of its kills for lack of memory say, on machines of each kind."""

from pathlib import Path

import pytest

from tasker_mp.process import oom_kills

_EVENTS = "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"
_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"
_MACHINE = "nr_free_pages 1\noom_kill 7\n"


def machine(root: Path, **files: str) -> Path:
    """A root folder; `files` by path with `__` for `/`."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (
            {
                "proc__self__cgroup": "0::/a/b\n",
                "sys__fs__cgroup__a__b__memory_DOT_events": _EVENTS,
            },
            2,
        ),
        ({"proc__self__cgroup": "0::/\n", "sys__fs__cgroup__memory_DOT_events": _EVENTS}, 2),
        (
            {
                "proc__self__cgroup": "4:memory:/a\n1:cpu,cpuacct:/\n0::/\n",
                "sys__fs__cgroup__memory__a__memory_DOT_oom_control": _CONTROL,
                "sys__fs__cgroup__memory_DOT_events": _EVENTS,
            },
            5,
        ),
        ({"proc__self__cgroup": "0::/\n"}, 7),
        ({}, 7),
    ],
    ids=["version 2", "namespace", "version 1", "root group", "no groups"],
)
def test_the_count_is_the_control_group_s_or_else_the_machine_s(
    tmp_path: Path, files: dict[str, str], count: int
) -> None:
    assert oom_kills(machine(tmp_path, proc__vmstat=_MACHINE, **files)) == count


def test_where_nothing_can_be_read_nothing_is_known(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) == 0
    assert oom_kills(machine(tmp_path, proc__vmstat="nr_free_pages 1\n")) == 0
