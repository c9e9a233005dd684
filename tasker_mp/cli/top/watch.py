"""The loop of the live view: look, draw, wait for a key; nothing in it waits for anybody else."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tasker_mp.cli.output import console
from tasker_mp.cli.top.actions import Actions, OpenClient
from tasker_mp.cli.top.choice import Question
from tasker_mp.cli.top.frame import frame
from tasker_mp.cli.top.intent import Quit
from tasker_mp.cli.top.keyboard import Keyboard
from tasker_mp.cli.top.painter import Painter
from tasker_mp.cli.top.press import press
from tasker_mp.cli.top.scene import Panel, Scene
from tasker_mp.cli.top.terminal import Terminal
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import StatusPageError
from tasker_mp.observer import Observer

_ESCAPE_SECONDS = 0.05
"""What follows an Esc later than that is not a part of its sequence."""
_SHORTEST_DRAW = 0.04
"""Seconds between two frames of a terminal that changes its size all the time."""


class Watch:
    """The live view of the supervisor in `root`.

    `panel` is shown on top, `quit_question` asked before the view is left.
    """

    def __init__(
        self,
        root: Path,
        open_client: OpenClient,
        *,
        refresh: float = 1.0,
        panel: Panel | None = None,
        quit_question: str | None = None,
    ) -> None:
        self._observer = Observer(root)
        self._actions = Actions(RuntimeDirectory(root).control_socket, open_client)
        self._refresh = refresh
        self._quit_question = quit_question
        self._scene = Scene(panel=panel)
        self._lost_at: float | None = None
        self._keyboard = Keyboard()
        self._done = False
        self._terminal: Terminal | None = None

    def wake(self) -> None:
        """Have `run` ask `until()` now; from any thread."""
        if self._terminal is not None:
            self._terminal.wake()

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Until `q`, or until `until()`; may be called again."""
        painter = Painter(console(sys.stdout))
        look_at = drawn_at = 0.0
        self._done, dirty = False, True
        with Terminal(sys.stdout.fileno()) as terminal:
            self._terminal = terminal
            while not self._done and not until():
                now = time.monotonic()
                if now >= look_at:
                    self.look(now)
                    look_at, dirty = now + self._refresh, True
                if dirty and now >= drawn_at + _SHORTEST_DRAW:
                    terminal.write(painter.paint(frame(self._scene, *terminal.size())))
                    drawn_at, dirty = now, False
                happened = terminal.wait(self._until_next(now, look_at, drawn_at, dirty=dirty))
                if happened.redraw:
                    painter.forget()
                dirty |= self._heed(terminal, happened.keys) or happened.redraw

    def look(self, now: float) -> None:
        """What the supervisor says by now; of one that is gone, what it said last."""
        scene = self._scene
        try:
            seen, scene.trouble = self._observer.look(), None
        except StatusPageError as error:
            seen, scene.trouble = None, str(error)
        if seen is None:
            self._lost_at = self._lost_at or now
            scene.gone_for = now - self._lost_at
            return
        self._lost_at = scene.gone_for = None
        scene.seen = seen
        scene.history.add(seen.snapshot)

    def _until_next(self, now: float, look_at: float, drawn_at: float, *, dirty: bool) -> float:
        due = min(look_at, drawn_at + _SHORTEST_DRAW) if dirty else look_at
        return min(due - now, _ESCAPE_SECONDS if self._keyboard.unfinished else due - now)

    def _heed(self, terminal: Terminal, typed: bytes) -> bool:
        """The keys, and what has come of earlier ones; whether there is anything new to draw."""
        keys = self._keyboard.feed(typed) if typed else self._keyboard.flush()
        for key in keys:
            asked = self._scene.choice.question
            self._press(terminal, key)
            if asked is None and self._scene.choice.question is not None:
                break  # what came with it, in one paste, does not answer the question
        outcome = self._actions.outcome()
        if outcome is not None:
            choice = self._scene.choice
            choice.tell(outcome.text, bad=outcome.bad)
            choice.page = outcome.page or choice.page
        return bool(keys) or outcome is not None

    def _press(self, terminal: Terminal, key: str) -> None:
        intent = press(self._scene, key, terminal.size())
        if isinstance(intent, Quit):
            self._quit(intent)
        elif intent is not None:
            self._scene.choice.tell(self._actions.start(intent, terminal.wake))

    def _quit(self, intent: Quit) -> None:
        if self._quit_question is None or intent.sure:
            self._done = True
        else:
            self._scene.choice.question = Question(self._quit_question, Quit(sure=True))
