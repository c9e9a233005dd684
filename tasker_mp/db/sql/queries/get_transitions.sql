-- What happened to a task and its steps, in order.
select step_no, at, from_state, to_state, attempt, actor, reason, error
from (select * from tasker.step_transitions
      union all select * from tasker.told_task_transitions) t
where task_uuid = %(task)s
order by at, step_no <> 0, step_no, attempt nulls first
