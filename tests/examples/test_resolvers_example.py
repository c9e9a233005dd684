"""Handlers that a resolver of the project finds, and one that it raises over."""

from collections.abc import Callable

from example_project import Example


def test_a_resolver_of_the_project_finds_its_handlers(example: Callable[[str], Example]) -> None:
    with example("resolvers").running(workers=1) as running:
        task = running.run("messages/notify", {"address": "a@b.c", "street": "Main 1"})
        assert task.results == {
            "by_email": {"sent_to": "a@b.c"},
            "by_letter": {"posted_to": "Main 1"},
        }
        assert task.state == "error"
        [failed] = [step for step in task.steps if step.name == "by_pigeon"]
        assert failed.attempts == 1
        assert failed.error is not None
        assert failed.error["error_code"] == "HANDLER_NOT_FOUND"
        assert "channel:pigeon: " in failed.error["message"]
