-- What a task's steps wait for, beside their rows: its template, and who serves its queue, that is,
-- has kept a lease of `lease` seconds.
select w.namespace, tasker.queue_name(w.namespace, t.priority), w.definition::text,
       array(select v.worker_id from tasker.supervisors v
             where w.namespace = any (v.namespaces)
               and v.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease)s)
             order by v.worker_id),
       exists (select from tasker.supervisors v
               where v.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease)s))
from tasker.tasks t join tasker.templates w using (template_id)
where t.task_uuid = %(task)s
