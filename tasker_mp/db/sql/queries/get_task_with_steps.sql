-- The steps of a task in topological order, and beside the first of them the columns of get_task.sql:
-- one look, so that the two agree (primary keys).
select s.step_no, s.name, s.state::text, s.attempts, s.waiting_on, s.children, s.ancestors,
       s.event_id, s.owner, s.enqueued_at, s.claimed_at, s.finished_at, s.due_at, s.result,
       s.metadata, s.error,
       t.*
from tasker.steps s
left join (
    select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
           t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
           t.reason, t.tags, t.context
    from tasker.tasks t join tasker.templates w using (template_id)
    where t.task_uuid = %(task)s) t on s.step_no = 1
where s.task_uuid = %(task)s order by s.step_no
