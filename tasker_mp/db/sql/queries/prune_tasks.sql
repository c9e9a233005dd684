-- Deletes some of the tasks in `states` that ended more than `seconds` ago, looking behind `after`.
select last, tasks, steps, transitions, keys
from tasker.prune_tasks(
    %(after)s::uuid, clock_timestamp() - make_interval(secs => %(seconds)s::double precision),
    %(states)s::tasker.task_state[], %(limit)s::integer)
