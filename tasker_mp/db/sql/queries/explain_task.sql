-- What a task's steps wait for, beside their rows: its template, who serves its queue (that is, has
-- kept a lease of `lease` seconds) and what each of those does, and whether anybody is alive at all.
select w.namespace, tasker.queue_name(w.namespace, t.priority), w.definition::text,
       array(select v.worker_id from tasker.supervisors v
             where w.namespace = any (v.namespaces)
               and v.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease)s)
             order by v.worker_id, v.supervisor_uuid),
       array(select v.state from tasker.supervisors v
             where w.namespace = any (v.namespaces)
               and v.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease)s)
             order by v.worker_id, v.supervisor_uuid),
       exists (select from tasker.supervisors v
               where v.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease)s))
from tasker.tasks t join tasker.templates w using (template_id)
where t.task_uuid = %(task)s
