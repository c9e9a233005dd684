"""Mails to customers, one a receipt, in a file instead of a mailbox."""

import json
from pathlib import Path
from typing import Any

from tasker_mp.domain_events import BaseSubscriber

OUTBOX = Path("outbox.jsonl")


class Mail(BaseSubscriber):
    @classmethod
    def subscribes_to(cls) -> list[str]:
        return ["payment.*"]

    def handle(self, event: dict[str, Any]) -> None:
        line = json.dumps([event["event_name"], event["metadata"]["task_uuid"], event["payload"]])
        with OUTBOX.open("a") as outbox:
            outbox.write(f"{line}\n")
