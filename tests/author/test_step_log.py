import logging

import pytest

import tasker_mp
from tasker_mp.types import LogContext


@pytest.mark.parametrize(
    ("name", "level"),
    [("error", 40), ("warn", 30), ("info", 20), ("debug", 10), ("trace", 5)],
)
def test_a_line_has_its_level_and_fields(name, level, caplog):
    log = getattr(tasker_mp, f"log_{name}")
    with caplog.at_level(1):
        log("100 % paid", {"order": 7, "name": "reserved"})
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (level, "100 % paid")
    assert (record.order, record.name_, record.name) == (7, "reserved", "handlers")
    assert record.filename == "test_step_log.py"


def test_fields_may_be_shared(caplog):
    with caplog.at_level(logging.INFO):
        tasker_mp.log_info("paid", LogContext(operation="charge"))
        tasker_mp.log_info("paid")
        tasker_mp.log_debug("quiet")
    first, second = caplog.records
    assert first.operation == "charge"
    assert not hasattr(first, "task_uuid")
    assert not hasattr(second, "operation")
