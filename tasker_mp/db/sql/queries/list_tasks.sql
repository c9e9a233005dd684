-- Tasks, newest first: the primary key is time-ordered, so this walks it backwards.
select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
       t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
       t.reason, t.tags
from tasker.tasks t join tasker.templates w using (template_id)
where (%(state)s::text is null or t.state::text = %(state)s)
  and (%(namespace)s::text is null or w.namespace = %(namespace)s)
order by t.task_uuid desc limit %(limit)s
