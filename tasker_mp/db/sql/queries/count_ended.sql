-- How many of these tasks have completed, and how many ended otherwise (primary key).
select count(*) filter (where state = 'complete'),
       count(*) filter (where state in ('error', 'cancelled', 'resolved_manually'))
from tasker.tasks where task_uuid = any (%(tasks)s)
