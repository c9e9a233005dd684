-- Tasks, newest first: the primary key is time-ordered, so this walks it backwards from `before`,
-- not below `from`, and past `scan` tasks at most (null: all): where few of them match, the rest of
-- a large table would be read in vain.
select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
       t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
       t.reason, t.tags
from (select * from tasker.tasks
      where task_uuid >= %(from)s and task_uuid < %(before)s
      order by task_uuid desc limit %(scan)s) t
join tasker.templates w using (template_id)
where (%(state)s::text is null or t.state::text = %(state)s)
  and (%(namespace)s::text is null or w.namespace = %(namespace)s)
  and (%(template)s::text is null or w.name = %(template)s)
  and (%(version)s::text is null or w.version = %(version)s)
  and (%(tag)s::text is null or %(tag)s = any (t.tags))
  and (%(correlation)s::uuid is null
       or t.correlation_id = %(correlation)s or t.task_uuid = %(correlation)s)
order by t.task_uuid desc limit %(limit)s
