-- What happened to the steps of a task, in order.
select step_no, at, from_state, to_state, attempt, actor, reason, error
from tasker.step_transitions where task_uuid = %(task)s order by at, step_no, attempt nulls first
