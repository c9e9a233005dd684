"""`template`, `handler`, `doctor`: what is said about a project's files."""

import json
from pathlib import Path

from conftest import Project, append

LINEAR = "linear_workflow/mathematical_sequence"


def test_templates_are_listed(project: Project) -> None:
    listed = project.run("template", "list", "--json").succeeded().document["templates"]
    assert len(listed) == 5
    assert sum(len(template["steps"]) for template in listed) == 27
    linear = next(t for t in listed if t["namespace"] == "linear_workflow")
    assert (linear["name"], linear["version"]) == ("mathematical_sequence", "1.0.0")


def test_a_template_is_shown_with_its_steps(project: Project) -> None:
    done = project.run("template", "show", LINEAR).succeeded()
    assert "handlers.linear.LinearStep4Handler" in done.out
    shown = project.run("template", "show", f"{LINEAR}@1.0.0", "--json").succeeded().document
    assert [step["name"] for step in shown["steps"]] == [f"linear_step_{n}" for n in range(1, 5)]


def test_graphs_are_drawn_in_three_languages(project: Project) -> None:
    graph = ("template", "graph", "diamond_workflow/diamond_pattern")
    assert "│ diamond_start │" in project.run(*graph).succeeded().out
    assert project.run(*graph, "--format", "dot").succeeded().out.startswith("digraph")
    drawn = project.run(*graph, "--format", "mermaid", "--json").succeeded().document
    assert drawn["graph"].startswith("flowchart TD\n")


def test_the_schema_is_a_json_schema(project: Project) -> None:
    schema = project.run("template", "schema").succeeded().document
    assert schema["additionalProperties"] is False
    assert "steps" in schema["required"]


def test_good_templates_validate(project: Project) -> None:
    done = project.run("template", "validate").succeeded()
    assert done.out == ""
    assert "5 good templates, no problems" in done.err


def test_every_problem_of_every_file_is_told_with_its_place(project: Project) -> None:
    folder = project.root / "drafts"
    folder.mkdir()
    text = (project.root / f"config/tasks/{LINEAR}.yaml").read_text()
    (folder / "a.yaml").write_text(text.replace("dependencies: [linear_step_1]", "depend: [x]"))
    (folder / "b.yaml").write_text("name: [\n")
    done = project.run("template", "validate", "drafts", "--json")
    assert done.code == 1
    document = done.document
    assert document["ok"] is False
    files = [Path(problem["file"]).name for problem in document["problems"]]
    assert set(files) == {"a.yaml", "b.yaml"}
    assert document["problems"][0]["line"] > 1
    assert len(project.run("template", "validate", "drafts").out.splitlines()) == len(files)


def test_handlers_resolve_in_the_project_and_are_listed(project: Project) -> None:
    checks = project.run("handler", "list", "--json").succeeded().document["handlers"]
    assert len(checks) == 27
    assert {check["problem"] for check in checks} == {None}


def test_a_handler_that_cannot_be_imported_is_exit_1_with_the_reason(project: Project) -> None:
    project.copy_examples()
    (project.root / "handlers/tree.py").write_text("print('loud')\nraise OSError('no licence')\n")
    done = project.run("handler", "check", "--json")
    assert done.code == 1
    bad = [check for check in done.document["handlers"] if check["problem"]]
    assert {check["template"] for check in bad} == {"tree_workflow/hierarchical_tree@1.0.0"}
    assert "no licence" in bad[0]["problem"]
    # For people: a line for each step, and what the module prints is not among the data.
    told = project.run("handler", "check")
    assert told.code == 1
    assert len(told.out.splitlines()) == 8
    assert "loud" not in told.out


def test_doctor_finds_nothing_wrong(served: Project) -> None:
    document = served.run("doctor", "--json").succeeded().document
    assert document["ok"] is True
    names = [check["name"] for check in document["checks"]]
    assert names[:3] == ["python", "kernel", "configuration"]
    assert names[-3:] == ["database", "templates", "handlers"]


def test_doctor_names_what_is_wrong_and_goes_on(project: Project, empty_database: str) -> None:
    project.copy_examples()
    (project.root / "handlers/linear.py").unlink()
    append(project.root / f"config/tasks/{LINEAR}.yaml", "color: red")
    done = Project(project.root, empty_database).run("doctor")
    assert done.code == 1
    wrong = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert len(wrong) == 2, done
    assert "tasker-mp db migrate" in wrong[0]
    assert "color" in wrong[1]
    assert "2 of 8 checks failed" in done.err


def test_doctor_tells_of_a_broken_configuration(project: Project) -> None:
    done = project.run("doctor", "--json", TASKER_MP_WORKER__COUNT="many")
    assert done.code == 1
    checks = json.loads(done.out)["checks"]
    assert [check["ok"] for check in checks] == [True, True, False]
    assert '"many"' in checks[-1]["detail"]
