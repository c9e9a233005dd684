"""Random templates that grow, and random ways for one of their tasks to go."""

from collections.abc import Callable

from growing import Play, batches, decision, template
from hypothesis import strategies as st

from tasker_mp.template.branching import BranchingError
from tasker_mp.template.model import BatchConfig, StepType, Template

Choices = Callable[[int], int]
"""A number below the one given, for each choice that comes up."""

_TYPES: tuple[StepType, ...] = (
    "standard", "standard", "decision", "batchable", "deferred_convergence",
)  # fmt: skip


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """Up to 12 steps; behind each batchable one comes a worker."""
    dependencies: dict[str, list[str]] = {"s0": []}
    types: dict[str, StepType] = {}
    batch = {}
    for index in range(1, draw(st.integers(3, 9))):
        name = f"s{index}"
        kind = draw(st.sampled_from(_TYPES))
        above = draw(st.lists(st.sampled_from(list(dependencies)), min_size=1, max_size=3))
        dependencies[name] = list(dict.fromkeys(above))
        types[name] = kind
        if kind == "batchable":
            dependencies[f"w{index}"] = [name]
            types[f"w{index}"] = "batch_worker"
            batch[name] = BatchConfig(worker_template=f"w{index}")
    return template(dependencies, types, batch)


@st.composite
def choices(draw: st.DrawFn) -> Choices:
    random = draw(st.randoms(use_true_random=False))
    return random.randrange


def play_through(
    play: Play, choose: Choices, finish: Callable[[str, bytes], None] | None = None
) -> None:
    """Finish whatever is ready, in a random order, until nothing is."""
    while ready := play.ready():
        name = ready[choose(len(ready))]
        result = result_of(play, name, choose)
        (finish or play.finish)(name, result)


def result_of(play: Play, name: str, choose: Choices) -> bytes:
    """What a step says, deciding one way or the other; something that can be followed."""
    growing, row = play.growing, play.rows[play.number(name)]
    if not growing.decides(row.template_step):
        return b'{"of":"%s"}' % name.encode()
    worker = f"w{row.template_step[1:]}"
    if name.startswith("s") and worker in growing.names:
        cut = choose(4)
        return batches(worker, *((i * 10, i * 10 + 10) for i in range(cut)))
    made = {other.template_step for other in play.rows.values()}
    open_names = [other for other in growing.behind(row.template_step) if other not in made]
    for _ in range(8):
        some = [other for other in open_names if choose(2) == 0]
        try:
            growing.grow(row.template_step, decision(*some), play.standing)
        except BranchingError:
            continue
        return decision(*some)
    return decision()
