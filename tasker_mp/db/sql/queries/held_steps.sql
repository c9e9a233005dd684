-- Everything that `owner` holds according to the database, each under its latest claim: what it
-- should know, after a lost connection may have swallowed the answer to a claim or a finish.
select distinct on (h.task_uuid, h.step_no) h.task_uuid, h.step_no, h.event_id, h.template_id,
       h.name, h.attempt, h.crashes, h.claim_id, h.correlation_id, h.context, h.dependencies,
       h.traceparent, h.extra
from tasker.claims c
cross join lateral tasker.hydrate(c.task_uuids, c.step_nos, c.claim_id) h
join tasker.steps s on s.task_uuid = h.task_uuid and s.step_no = h.step_no
where c.owner = %(owner)s::uuid and s.state = 'in_progress' and s.owner = c.owner
order by h.task_uuid, h.step_no, h.claim_id desc
