"""`init`, `template new`, `handler new`: files that are made, and files that are left alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CalledProject, Project

from tasker_mp.template.parse import load_templates

_FILES = [
    ".gitignore",
    "README.md",
    "config/tasker.toml",
    "config/tasks/hello/greeting.yaml",
    "handlers/__init__.py",
    "handlers/hello.py",
    "pytest.ini",
    "tests/test_hello.py",
]


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is imported from the folder of one test is not there in the next."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_handlers(name)}
    yield
    for name in filter(_is_handlers, list(sys.modules)):
        del sys.modules[name]
    sys.modules.update(others)


def _is_handlers(name: str) -> bool:
    return name.partition(".")[0] == "handlers"


@pytest.fixture
def made(tmp_path: Path) -> Project:
    """A new project; the command is called in this process."""
    CalledProject(tmp_path).run("init", ".").succeeded()
    return CalledProject(tmp_path)


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_project_is_made_whose_templates_and_handlers_are_in_order(tmp_path: Path) -> None:
    outside = CalledProject(tmp_path)
    done = outside.run("init", "new/shop").succeeded()
    assert done.out.split() == [f"new/shop/{name}" for name in _FILES]
    assert "cd new/shop" in done.err
    assert "tasker-mp start" in done.err
    inside = Project(tmp_path / "new" / "shop")
    assert sorted(contents(inside.root)) == _FILES
    new = CalledProject(inside.root)
    new.run("template", "new", "billing/refund", "--steps", "check,issue_refund").succeeded()
    for arguments in (["refund.Check"], ["refund.IssueRefund"], ["deep.er.tell", "--function"]):
        path, *flags = arguments
        new.run("handler", "new", f"handlers.{path}", *flags).succeeded()
    assert new.run("template", "validate").succeeded().out == ""
    checked = inside.run("handler", "check", "--json").succeeded().document
    assert [check["problem"] for check in checked["handlers"]] == [None] * 4


def test_init_tells_programs_what_it_made(tmp_path: Path) -> None:
    document = CalledProject(tmp_path).run("init", "shop", "--json").succeeded().document
    assert document["project"] == str(tmp_path / "shop")
    assert document["files"] == _FILES
    assert document["next"][0] == "cd shop"


def test_init_changes_nothing_that_is_there(made: Project) -> None:
    (made.root / "README.md").write_text("mine")
    (made.root / "handlers" / "hello.py").unlink()
    before = contents(made.root)
    done = made.run("init", ".")
    done.failed(2, "README.md", "config/tasker.toml", "nothing was written")
    assert "handlers/hello.py" not in done.err
    assert contents(made.root) == before


@pytest.mark.parametrize("name", ["shop", "shop/config", "shop/config/tasks"])
def test_init_needs_folders_where_it_makes_some(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    CalledProject(tmp_path).run("init", "shop").failed(2, str(file), "is a file")
    assert contents(tmp_path) == {name: b"mine"}


def test_init_makes_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    opened = Path.open

    def full(path: Path, *arguments: str, **keys: str) -> object:
        if path.name == "pytest.ini":
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *arguments, **keys)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    CalledProject(tmp_path).run("init", "mine/shop").failed(1, "No space left", "nothing was made")
    assert list((tmp_path / "mine").iterdir()) == []


# -- template new ---------------------------------------------------------------------------------


def test_a_new_template_is_a_chain_with_handlers_to_write(made: Project) -> None:
    done = made.run("template", "new", "billing/refund", "--steps", "check, issue_refund,notify")
    file = made.root / "config" / "tasks" / "refund.yaml"
    assert done.succeeded().out == f"{file}\n"
    assert "tasker-mp handler new handlers.refund.IssueRefund" in done.err
    template = load_templates(file, "test").find("billing", "refund")
    assert [(s.name, s.dependencies) for s in template.steps] == [
        ("check", ()),
        ("issue_refund", ("check",)),
        ("notify", ("issue_refund",)),
    ]
    assert template.version == "1.0.0"


def test_a_new_template_tells_programs_what_is_missing(made: Project) -> None:
    document = made.run("template", "new", "billing/refund@2.1.0", "--json").succeeded().document
    assert document["template"] == "billing/refund@2.1.0"
    assert document["missing"] == ["handlers.refund.Refund"]


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["refund"], ["names no template"]),
        (["hello/greeting"], ["hello/greeting@1.0.0 already"]),
        (["hello/a-b"], ["template 'a-b'", "letters"]),
        (["hello/../b"], ["template '../b'"]),
        (["bill-ing/refund"], ["namespace_name", "bill-ing"]),
        (["a/b@1"], ["version", "1"]),
        (["a/b", "--steps", "x,y,x"], ["'x' twice"]),
        (["a/b", "--steps", ""], ["step ''"]),
        (["a/b", "--steps", "x y"], ["step 'x y'"]),
    ],
)
def test_what_cannot_be_a_template_is_not_written(
    made: Project, arguments: list[str], fragments: list[str]
) -> None:
    before = contents(made.root)
    made.run("template", "new", *arguments).failed(2, *fragments)
    assert contents(made.root) == before


def test_a_template_file_is_not_overwritten(made: Project) -> None:
    file = made.root / "config" / "tasks" / "refund.yaml"
    file.write_text("# mine\n")
    made.run("template", "new", "billing/refund").failed(2, "refund.yaml", "nothing was written")
    assert file.read_text() == "# mine\n"


# -- handler new ----------------------------------------------------------------------------------


def test_a_handler_is_added_to_what_is_there(made: Project) -> None:
    module = made.root / "handlers" / "refund.py"
    mine = '"""Refunds."""\r\n\r\nimport json\r\nfrom tasker_mp import StepHandler\r\n\r\nX = 1\r\n'
    module.write_bytes(mine.encode())
    module.chmod(0o640)
    made.run("handler", "new", "handlers.refund.IssueRefund").succeeded()
    assert module.read_bytes().decode().split("\r\n") == [
        '"""Refunds."""',
        "",
        "import json",
        "from tasker_mp import StepContext, StepHandler, StepHandlerResult",
        "",
        "X = 1",
        "",
        "",
        "class IssueRefund(StepHandler):",
        "    def call(self, context: StepContext) -> StepHandlerResult:",
        "        return self.success({})",
        "",
    ]
    assert module.stat().st_mode & 0o777 == 0o640
    made.run("handler", "new", "handlers.refund.tell", "--function").succeeded()
    added = module.read_text()
    assert "X = 1\n\n\nclass" in added
    assert '@step_handler("tell")\ndef tell(' in added
    compile(added, str(module), "exec")
    test = (made.root / "tests" / "test_refund.py").read_text()
    assert test.startswith(
        "from handlers.refund import IssueRefund, tell\nfrom tasker_mp.testing import run_handler\n"
    )
    assert "def test_issue_refund()" in test


def test_modules_go_where_python_looks_for_them(made: Project) -> None:
    new = ("handler", "new", "--json")
    files = made.run(*new, "handlers.billing.refund.Issue").succeeded().document["files"]
    assert [Path(file).relative_to(made.root).as_posix() for file in files] == [
        "handlers/billing/__init__.py",
        "handlers/billing/refund.py",
        "tests/test_refund.py",
    ]
    files = made.run(*new, "handlers.billing.Total").succeeded().document["files"]
    assert Path(files[0]) == made.root / "handlers" / "billing" / "__init__.py"
    (made.root / "handlers" / "hello").mkdir()  # without __init__.py: the module stays the module
    files = made.run(*new, "handlers.hello.Wave").succeeded().document["files"]
    assert Path(files[0]) == made.root / "handlers" / "hello.py"


@pytest.mark.parametrize(
    ("path", "fragments"),
    [
        ("os.system", ["os.system", "dotted path"]),
        ("handlers", ["handlers"]),
        ("handlers.refund.", ["dotted path"]),
        ("handlers.a-b.C", ["dotted path"]),
        ("handlers.class.C", ["dotted path"]),
        ("handlers.hello.Greet", ["handlers/hello.py has a Greet already"]),
        ("handlers.hello.StepHandler", ["has a StepHandler already"]),
        ("handlers.broken.C", ["broken.py", "line 1"]),
        ("handlers.binary.C", ["binary.py", "cannot be read"]),
    ],
)
def test_what_cannot_be_a_handler_is_not_written(
    made: Project, path: str, fragments: list[str]
) -> None:
    (made.root / "handlers" / "broken.py").write_text("def (:\n")
    (made.root / "handlers" / "binary.py").write_bytes(b"\xff\xfe")
    before = contents(made.root)
    made.run("handler", "new", path).failed(2, *fragments)
    assert contents(made.root) == before


def test_a_test_of_that_name_is_left_alone(made: Project) -> None:
    test = made.root / "tests" / "test_refund.py"
    test.write_text("def test_issue():\n    pass\n")
    before = contents(made.root)
    made.run("handler", "new", "handlers.refund.Issue").failed(2, "has a test_issue already")
    assert contents(made.root) == before


def test_every_new_command_takes_json(made: Project) -> None:
    done = made.run("handler", "new", "handlers.hello.Greet", "--json")
    assert done.code == 2
    assert "Greet" in json.loads(done.out)["error"]
