-- The steps of a task in topological order (primary key).
select step_no, name, state::text, attempts, waiting_on, children, ancestors, event_id, owner,
       enqueued_at, claimed_at, finished_at, due_at, result, metadata, error
from tasker.steps where task_uuid = %(task)s order by step_no
