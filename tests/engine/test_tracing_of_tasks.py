"""Ids flow from the submit to every step, and spans of tasks, steps, claims and commits tell."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from engine_project import ProjectFolder, step
from test_logs_of_handlers import Log, stderr_read

from tasker_mp.client.submission import Submission
from tasker_mp.errors import ConfigError, InvalidInputError
from tasker_mp.trace_context import parse_traceparent
from tasker_mp.tracing import open_spans

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ABOVE = f"00-{TRACE}-{PARENT}-01"

_TELLS = """
from tasker_mp import StepHandler


class Tells(StepHandler):
    def call(self, context):
        return {
            "trace_id": context.trace_id,
            "span_id": context.span_id,
            "traceparent": context.traceparent,
            "correlation_id": context.correlation_id,
        }
"""


@pytest.fixture
def telling(folder: ProjectFolder) -> ProjectFolder:
    (folder.root / "handlers" / "tells.py").write_text(_TELLS)
    handler = {"callable": "handlers.tells.Tells"}
    folder.template(
        "tells", step("one") | {"handler": handler}, step("two", "one") | {"handler": handler}
    )
    folder.template("fails", step("fails", method="permanent"))
    folder.template("dies", step("dies"))
    return folder


def test_a_submitters_trace_reaches_every_step_and_a_task_has_one_of_its_own(
    telling: ProjectFolder,
) -> None:
    with telling.running() as running:
        above = Submission(namespace="acts", name="tells", context={}, traceparent=ABOVE)
        [task, alone] = running.wait(running.client.submit_many([above]) + running.submit("tells"))
    for found, trace_id in ((task, TRACE), (alone, alone.uuid.hex)):
        told = [found.results[name] for name in ("one", "two")]
        assert {t["trace_id"] for t in told} == {trace_id}
        assert {t["correlation_id"] for t in told} == {str(found.uuid)}
        assert len({t["span_id"] for t in told}) == 2
        assert [t["traceparent"] for t in told] == [
            f"00-{trace_id}-{t['span_id']}-01" for t in told
        ]


def test_spans_tell_of_tasks_steps_claims_and_commits(
    telling: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    log = Log()
    with stderr_read(log), telling.running(logging__level="critical") as running:
        above = Submission(namespace="acts", name="tells", context={}, traceparent=ABOVE)
        [task] = running.wait(running.client.submit_many([above]))
        [failed] = running.run("fails")
        [dead] = running.run("dies")
    spans = _spans(log.text.decode())
    by_name = {span["name"]: span for span in spans}
    whole = by_name["task acts/tells"]
    assert whole["context"]["trace_id"] == f"0x{TRACE}"
    assert whole["parent_id"] == f"0x{PARENT}"
    for name in ("one", "two"):
        span = by_name[f"step {name}"]
        assert span["context"]["trace_id"] == f"0x{TRACE}"
        assert span["context"]["span_id"] == f"0x{task.results[name]['span_id']}"
        assert span["parent_id"] == whole["context"]["span_id"]
        assert whole["start_time"] <= span["start_time"] <= span["end_time"] <= whole["end_time"]
        assert span["attributes"]["tasker.attempt"] == 1
        assert span["status"]["status_code"] == "UNSET"
    assert by_name["step fails"]["status"]["status_code"] == "ERROR"
    assert by_name["task acts/fails"]["context"]["trace_id"] == f"0x{failed.uuid.hex}"
    assert by_name["step dies"]["attributes"]["tasker.crashed"] is True
    assert by_name["task acts/dies"]["attributes"]["tasker.state"] == dead.state
    for name in ("claim", "commit"):
        linked = {
            link["context"]["trace_id"] for s in spans if s["name"] == name for link in s["links"]
        }
        assert f"0x{TRACE}" in linked
    assert by_name["claim"]["resource"]["attributes"]["service.name"] == "tasker-mp"


def _spans(text: str) -> list[dict[str, Any]]:
    """The console exporter writes JSON documents one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def test_a_trace_that_is_not_recorded_above_has_no_spans_here(
    telling: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    log = Log()
    with stderr_read(log), telling.running(logging__level="critical") as running:
        quiet = Submission(
            namespace="acts", name="tells", context={}, traceparent=f"00-{TRACE}-{PARENT}-00"
        )
        [task] = running.wait(running.client.submit_many([quiet]))
    assert task.results["one"]["traceparent"].endswith("-00")
    assert {span["name"] for span in _spans(log.text.decode())} <= {"claim", "commit"}


def test_without_the_standard_variables_nothing_is_imported() -> None:
    code = (
        "import sys, tasker_mp.engine.run\n"
        "from tasker_mp.tracing import open_spans\n"
        "assert open_spans('w') is None\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=ours, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_is_missing_is_said_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")
    with pytest.raises(ConfigError, match="carrier-pigeon"):
        open_spans("w")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'tasker-mp\[otel\]'"):
        open_spans("w")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_spans("w") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-x",
        ABOVE[:-3],
        f"ff{ABOVE[2:]}",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_bad_traceparent_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="32 hex digits"):
        parse_traceparent(text)
