-- State, times and the results by step name of these tasks (primary keys), those given by hand, too.
select t.task_uuid, t.state::text, t.created_at, t.completed_at,
       coalesce((select json_object_agg(s.name, s.result) from tasker.steps s
                 where s.task_uuid = t.task_uuid
                   and (s.state = 'complete'
                        or s.state = 'resolved_manually' and s.result is not null)), '{}')
from tasker.tasks t where t.task_uuid = any (%(tasks)s)
