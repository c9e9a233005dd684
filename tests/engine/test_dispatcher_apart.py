"""Steps that no worker may have beside others wait for one that empties; the rest go past them."""

from collections.abc import Callable

from entries import entry

from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.specs import SpecCache
from tasker_mp.inflight import Entry, InflightTable


class _Worker:
    """Takes only what is not `apart`, while it has anything."""

    def __init__(self, room: int, busy: int = 0) -> None:
        self.limit = room
        self.busy = busy
        self.staged: list[Entry] = []
        self.apart: Callable[[Entry], bool] = lambda entry: entry.suspected > 0

    @property
    def room(self) -> int:
        return self.limit - self.busy - len(self.staged)

    def takes(self, entry: Entry) -> bool:
        return not (self.apart(entry) and (self.busy or self.staged))

    def send(self, entry: Entry) -> bool:
        if self.room <= 0:
            return False
        self.staged.append(entry)
        return True

    def publish(self) -> None: ...
    def kill(self) -> None: ...


def _suspect() -> Entry:
    one = entry()
    one.suspected = 2
    return one


def _dispatcher(*entries: Entry) -> Dispatcher:
    inflight = InflightTable()
    for one in entries:
        inflight.add(one)
    dispatcher = Dispatcher(inflight, SpecCache(100), 1 << 20)
    dispatcher.backlog.extend(entries)
    return dispatcher


def test_one_that_needs_a_worker_of_its_own_gets_the_empty_one() -> None:
    suspect, other = _suspect(), entry()
    empty, busy = _Worker(5), _Worker(5, busy=1)
    dispatcher = _dispatcher(suspect, other)
    dispatcher.dispatch([busy, empty])
    assert suspect in empty.staged
    assert not dispatcher.waiting


def test_others_pass_by_while_one_worker_empties_for_it() -> None:
    suspect, others = _suspect(), [entry() for _ in range(4)]
    one, two = _Worker(9, busy=2), _Worker(9, busy=3)
    dispatcher = _dispatcher(suspect)
    dispatcher.dispatch([one, two])
    dispatcher.backlog.extend(others)
    dispatcher.dispatch([one, two])
    assert two.staged == others, "the emptier one gets nothing"
    one.busy, one.staged = 0, []
    dispatcher.dispatch([one, two])
    assert one.staged == [suspect]
    assert not dispatcher.waiting


def test_what_waits_apart_is_given_back_with_the_rest() -> None:
    suspect, plain = _suspect(), entry()
    dispatcher = _dispatcher(suspect, plain)
    dispatcher.dispatch([_Worker(1, busy=1), _Worker(2, busy=1)])
    assert dispatcher.waiting
    assert dispatcher.forget() == [suspect]
    assert not dispatcher.waiting
