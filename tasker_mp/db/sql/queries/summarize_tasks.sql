-- How many of the tasks that list_tasks would pass match in each state, whatever state is asked
-- for, and how many it passes: by the primary key, `scan` rows at most.
select t.state::text,
       count(*) filter (
           where (%(namespace)s::text is null or w.namespace = %(namespace)s)
             and (%(template)s::text is null or w.name = %(template)s)
             and (%(version)s::text is null or w.version = %(version)s)
             and (%(tag)s::text is null or %(tag)s = any (t.tags))
             and (%(correlation)s::uuid is null
                  or t.correlation_id = %(correlation)s or t.task_uuid = %(correlation)s)),
       count(*)
from (select task_uuid, template_id, state, tags, correlation_id from tasker.tasks
      where task_uuid >= %(from)s and task_uuid < %(before)s
      order by task_uuid desc limit %(scan)s) t
join tasker.templates w using (template_id)
group by t.state order by t.state
