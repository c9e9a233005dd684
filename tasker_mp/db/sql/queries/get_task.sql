-- One task with its template's name (primary keys).
select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
       t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
       t.reason, t.tags, t.context
from tasker.tasks t join tasker.templates w using (template_id)
where t.task_uuid = %(task)s
