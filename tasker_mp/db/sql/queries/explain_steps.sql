-- The steps of a task with what `explain` needs (primary keys): seconds until due (or null), since
-- the claim, who holds it with the seconds since the last heartbeat, and who ended it by hand.
select s.step_no, s.name, s.state::text, s.attempts, s.children, s.ancestors, s.error,
       case when s.state = 'waiting_for_retry' then s.due_at end,
       extract(epoch from s.due_at - clock_timestamp())::double precision,
       case when s.state = 'in_progress' then s.claimed_at end,
       v.worker_id, v.host,
       extract(epoch from clock_timestamp() - v.heartbeat_at)::double precision,
       r.actor, r.reason, coalesce(s.template_step, s.name), tasker.lets_through(s.state, s.inputs)
from tasker.steps s
left join tasker.supervisors v on v.supervisor_uuid = s.owner and s.state = 'in_progress'
left join lateral (
    select r.actor, r.reason from tasker.transitions r
    where s.state in ('cancelled', 'resolved_manually')
      and r.task_uuid = s.task_uuid and r.step_no = s.step_no
      and r.to_state = s.state::text) r on true
where s.task_uuid = %(task)s order by s.step_no
