-- What changes of a task and its steps as it goes on, in topological order, without contexts and
-- results (primary keys). A task has a step at least.
select t.state::text, t.started_at, t.completed_at, s.step_no, s.name, s.state::text, s.attempts,
       s.waiting_on, s.children, s.owner, s.enqueued_at, s.claimed_at, s.finished_at, s.due_at,
       s.error
from tasker.tasks t join tasker.steps s using (task_uuid)
where t.task_uuid = %(task)s order by s.step_no
