"""`submit` and `task` with nobody serving: what is written, and what is refused."""

from conftest import Project

LINEAR = "linear_workflow/mathematical_sequence"
SIX = ("--context", '{"even_number": 6}')


def test_a_submitted_task_is_shown_and_listed(called: Project) -> None:
    details = (
        "--priority",
        "3",
        "--tag",
        "a",
        "--tag",
        "b",
        "--initiator",
        "me",
        "--reason",
        "why",
    )
    uuid = called.run("submit", LINEAR, *SIX, *details).succeeded().out.strip()
    shown = called.run("task", "show", uuid, "--json").succeeded().document
    assert shown["uuid"] == uuid
    assert shown["context"] == {"even_number": 6}
    assert (shown["priority"], shown["tags"]) == (3, ["a", "b"])
    assert (shown["initiator"], shown["reason"]) == ("me", "why")
    assert [step["state"] for step in shown["steps"]] == ["enqueued", *["pending"] * 3]
    assert [change["to_state"] for change in shown["transitions"]] == ["enqueued"]
    people = called.run("task", "show", uuid).succeeded()
    assert "linear_step_4" in people.out
    assert "waits for 1 step" in people.out

    listed = called.run("task", "list", "--namespace", "linear_workflow", "--json").document
    assert [task["uuid"] for task in listed["tasks"]] == [uuid]
    assert sum(listed["counts"].values()) == 1
    nothing = called.run("task", "list", "--state", "error", "--json").document
    assert nothing["tasks"] == []


def test_many_are_submitted_from_a_file(called: Project) -> None:
    (called.root / "six.json").write_text('{"even_number": 6}')
    done = called.run("submit", LINEAR, "--context", "@six.json", "--count", "3", "--json")
    assert len(set(done.succeeded().document["uuids"])) == 3


def test_a_key_means_one_task_and_one_content(called: Project) -> None:
    keyed = ("submit", LINEAR, "--idempotency-key", "k", "--json")
    first = called.run(*keyed, "--context", "-", stdin='{"even_number": 6}').succeeded().document
    assert called.run(*keyed, *SIX).succeeded().document == first
    done = called.run("submit", LINEAR, "--idempotency-key", "k", "--context", '{"even_number": 8}')
    done.failed(2, '"k"', first["uuid"])


def test_what_is_refused_leaves_nothing_behind(called: Project) -> None:
    unknown = called.run("submit", "linear_workflow/mathematical_sequense", *SIX)
    unknown.failed(2, "mathematical_sequense", LINEAR)
    large = called.run("submit", LINEAR, *SIX, TASKER_MP_RING__MAX_PAYLOAD_BYTES="10")
    large.failed(2, "max_payload_bytes")
    called.run("submit", LINEAR, *SIX, "--priority", "99999").failed(2, "99999")
    assert called.run("task", "list", "--json").document == {"tasks": [], "counts": {}}


def test_a_context_that_breaks_the_schema_is_refused(called: Project) -> None:
    called.copy_examples()
    file = called.root / f"config/tasks/{LINEAR}.yaml"
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    start = lines.index("input_schema:") if "input_schema:" in lines else None
    if start is not None:
        end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith((" ", "#")))
        del lines[start:end]
    file.write_text("\n".join([*lines, "input_schema: {required: [even_number]}", ""]))
    called.run("submit", LINEAR).failed(2, "even_number", "input_schema")


def test_an_unknown_task_is_exit_4(called: Project) -> None:
    uuid = "01890000-0000-7000-8000-000000000000"
    called.run("task", "show", uuid).failed(4, uuid, "tasker-mp task list")
    called.run("task", "wait", uuid).failed(4, uuid)


def test_waiting_in_vain_is_exit_1(called: Project) -> None:
    uuid = called.run("submit", LINEAR, *SIX, "--json").succeeded().document["uuid"]
    called.run("task", "wait", uuid, "--timeout", "0.2").failed(1, uuid, "0.2 s")


def test_a_database_that_is_not_set_up_is_told_with_the_cure(
    project: Project, empty_database: str
) -> None:
    bare = Project(project.root, empty_database)
    bare.run("submit", LINEAR, *SIX).failed(1, "tasker-mp db migrate")
