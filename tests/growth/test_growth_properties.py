"""However a task grows, everything in it can run, after all that it depends on, and sees it all."""

from growing import Play, template
from growing_strategies import Choices, choices, play_through, templates
from hypothesis import given

from tasker_mp.template.model import Template
from tasker_mp.template.plan import outline


@given(templates(), choices())
def test_nothing_waits_for_ever(grows: Template, chosen: Choices):
    play = Play(grows)
    play_through(play, chosen)
    assert all(row.done and not row.waiting_on for row in play.rows.values())


@given(templates(), choices())
def test_a_step_comes_after_all_that_it_depends_on_and_sees_it(grows: Template, chosen: Choices):
    play = Play(grows)
    play_through(play, chosen)
    steps, _, _, masks = outline(grows)
    numbers = {step.name: number for number, step in enumerate(steps) if step is not None}
    place = {name: index for index, name in enumerate(play.order)}
    for row in play.rows.values():
        mask = masks[numbers[row.template_step]]
        above = {play.rows[no].name for no in row.ancestors}
        assert all(mask >> numbers[play.rows[no].template_step] & 1 for no in row.ancestors)
        assert all(place[name] < place[row.name] for name in above)
        direct = {
            other.name for other in play.rows.values() if play.number(row.name) in other.children
        }
        assert direct <= above


def test_the_strategies_reach_decisions_in_decisions_and_batches():
    kinds = {"decision": 0, "batch_worker": 0, "deferred_convergence": 0}

    @given(templates(), choices())
    def look(grows: Template, chosen: Choices):
        play = Play(grows)
        play_through(play, chosen)
        made = {row.template_step for row in play.rows.values()}
        for step in grows.steps:
            if step.type in kinds and step.name in made:
                kinds[step.type] += 1

    look()
    assert min(kinds.values()) > 5, kinds
    assert template({"a": []}).steps
