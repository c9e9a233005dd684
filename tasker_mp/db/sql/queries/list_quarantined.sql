-- As list_tasks, only tasks with a quarantined step; looks into the steps of the tasks passed
-- (primary keys), so for people and not for loops.
select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
       t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
       t.reason, t.tags
from tasker.tasks t join tasker.templates w using (template_id)
where (%(state)s::text is null or t.state::text = %(state)s)
  and (%(namespace)s::text is null or w.namespace = %(namespace)s)
  and t.failed_steps > 0
  and exists (select from tasker.steps s
              where s.task_uuid = t.task_uuid and s.state = 'error'
                and s.error ->> 'error_code' = 'QUARANTINED')
order by t.task_uuid desc limit %(limit)s
