-- The state that a step's latest recorded transition led to; null where none is recorded.
create function tasker.last_recorded(p_task uuid, p_no integer) returns text
language sql stable as $$
    select r.to_state from tasker.transitions r
    where r.task_uuid = p_task and r.step_no = p_no
    order by r.at desc limit 1
$$;

-- Records the transitions of attempts that will be superseded by another (a step's row tells
-- only its latest), for those of p_events that leave in_progress for p_state now. A row's
-- enqueueing is on record already where that was the last one recorded. A batch may name a step
-- twice, under a stale event and under the latest: one claim was lost with a crash of the server.
create function tasker.record_attempts(
    p_tasks uuid[], p_nos integer[], p_events uuid[], p_state text, p_now timestamptz,
    p_reason text)
returns void
language sql as $$
    insert into tasker.transitions
        (task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason, error)
    select s.task_uuid, s.step_no, m.at, m.from_state, m.to_state, m.attempt, m.event_id,
           s.owner::text, m.reason, m.error
    from (select distinct u.task_uuid, u.step_no
          from unnest(p_tasks, p_nos) u(task_uuid, step_no)) i
    join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
    cross join lateral (select tasker.last_recorded(s.task_uuid, s.step_no) as state) last
    cross join lateral (values
        (s.enqueued_at, coalesce(last.state, 'pending'), 'enqueued',
         null::integer, null::uuid, null::text, null::json),
        (s.claimed_at, 'enqueued', 'in_progress', s.attempts, s.event_id, null, null),
        (p_now, 'in_progress', p_state, s.attempts, s.event_id, p_reason,
         case when p_state = 'waiting_for_retry' then s.error end))
        m(at, from_state, to_state, attempt, event_id, reason, error)
    where s.event_id = any (p_events) and m.from_state <> m.to_state
      and i.step_no between 1 and 1048575
$$;
