"""`status` in all its forms, also over a supervisor that stands still and one that is gone."""

import os
import signal

from conftest import Project, wait_until


def test_status_reads_the_page_whatever_the_supervisor_does(served: Project) -> None:
    with served.supervisor() as supervisor:
        text = served.run("status", "--prometheus").succeeded().out
        assert text.startswith("# HELP tasker_info ")
        assert '\ntasker_state{state="running"} 1\n' in text
        document = served.run("status", "--prometheus", "--json").succeeded().document
        assert document["prometheus"].startswith("# HELP tasker_info ")
        assert "HANGS" not in served.run("status").succeeded().out
        os.kill(supervisor.pid, signal.SIGSTOP)
        try:
            assert wait_until(lambda: "HANGS" in served.run("status").succeeded().out, 20)
            assert served.run("status", "--json").succeeded().document["pid"] == supervisor.pid
        finally:
            os.kill(supervisor.pid, signal.SIGCONT)
    served.run("status", "--prometheus").failed(3, "no supervisor", "tasker-mp start")
    gone = served.run("status", "--json")
    gone.failed(3, "no supervisor")
    assert gone.document["running"] is False
