-- The transitions of every step that its row still tells: those of its latest attempt.
create view tasker.told_transitions as
    select s.task_uuid, s.step_no, m.at, m.from_state, m.to_state, m.attempt,
           m.event_id, s.owner::text as actor, null::text as reason, m.error
    from tasker.steps s
    cross join lateral (values
        (s.enqueued_at, coalesce(tasker.last_recorded(s.task_uuid, s.step_no), 'pending'),
         'enqueued', null::integer, null::uuid, null::json),
        (s.claimed_at, 'enqueued', 'in_progress', s.attempts, s.event_id, null::json),
        (s.finished_at, 'in_progress', s.state::text, s.attempts, s.event_id, s.error))
        m(at, from_state, to_state, attempt, event_id, error)
    -- A retry is on record up to the moment it waits, a step given back up to its enqueueing, and
    -- one that somebody ended by hand up to that; times before that belong to an attempt on record.
    where s.state not in ('waiting_for_retry', 'cancelled', 'resolved_manually')
      and m.at >= s.enqueued_at and m.from_state <> m.to_state;

-- Every transition of every step, and of tasks (step number 0) those made by hand.
create view tasker.step_transitions as
    select task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason, error
    from tasker.transitions
    union all
    select task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason, error
    from tasker.told_transitions;

-- The transitions of every task that its row still tells: its first claim, and an end that came by
-- itself.
create view tasker.told_task_transitions as
    select t.task_uuid, 0 as step_no, m.at, m.from_state, m.to_state, null::integer as attempt,
           null::uuid as event_id, null::text as actor, null::text as reason, null::json as error
    from tasker.tasks t
    cross join lateral (values
        (case when not exists (select from tasker.transitions r where r.task_uuid = t.task_uuid
                               and r.step_no = 0 and r.from_state = 'pending')
              then t.started_at end, 'pending', 'in_progress'),
        (case when t.state in ('complete', 'error')
                   and tasker.last_recorded(t.task_uuid, 0) is distinct from t.state::text
              then t.completed_at end, 'in_progress', t.state::text))
        m(at, from_state, to_state)
    where m.at is not null;

-- The readiness of every unfinished step, derived from the edges and not from the counters: what
-- `explain` reads, and what a test compares the counters with.
create view tasker.step_readiness as
    select c.task_uuid, c.step_no, c.name, c.state, c.waiting_on,
           (select count(*)::integer from tasker.steps p
            where p.task_uuid = c.task_uuid and c.step_no = any (p.children)
              and not tasker.lets_through(p.state, p.inputs)) as open_parents
    from tasker.steps c
    where c.state not in ('complete', 'cancelled', 'resolved_manually');
