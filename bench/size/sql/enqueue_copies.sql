-- Puts the ready steps of these tasks into their queues, as a submit does.
select tasker.send_ready(array_agg(s.task_uuid order by s.task_uuid, s.step_no),
                         array_agg(s.step_no order by s.task_uuid, s.step_no))
from tasker.steps s
where s.task_uuid = any (%(tasks)s) and s.state = 'enqueued'
