-- Everything that `owner` holds according to the database: what it should know, after a lost
-- connection may have swallowed the answer to a claim or a finish.
select h.*
from tasker.claims c
cross join lateral tasker.hydrate(c.task_uuids, c.step_nos, c.claim_id) h
join tasker.steps s on s.task_uuid = h.task_uuid and s.step_no = h.step_no
where c.owner = %(owner)s::uuid and s.state = 'in_progress' and s.owner = c.owner
