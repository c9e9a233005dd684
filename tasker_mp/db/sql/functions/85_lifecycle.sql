-- Limits of a template's lifecycle: how long its unfinished tasks may take, and what becomes of those
-- that take longer.

-- What is done about a stale task: `error` fails it, `dlq` makes it a dead letter for people to look
-- at, `none` only lists it.
create function tasker.staleness_action(p_lifecycle json) returns text
language sql immutable as $$
    select case
        when p_lifecycle ->> 'staleness_action' = 'error'
          or p_lifecycle ->> 'auto_fail_on_timeout' = 'true' then 'error'
        when p_lifecycle ->> 'staleness_action' = 'dlq'
          or p_lifecycle ->> 'auto_dlq_on_timeout' = 'true' then 'dlq'
        when p_lifecycle ->> 'staleness_action' = 'none'
          or p_lifecycle ->> 'auto_dlq_on_timeout' = 'false' then 'none'
        else 'dlq' end
$$;

-- Every limit of these tasks, of those watched and not ended: since when it counts (null: not now).
--
--   max_duration                   since the submit
--   max_waiting_for_dependencies   since the latest progress, while a step waits for its parents
--   max_waiting_for_retry          since the end of the attempt before it
--   max_steps_in_process           since the claim
--
-- None counts from before the latest repair by hand. Reads the tasks' steps (primary keys). Plans:
-- see tasker.claim_steps.
create function tasker.lifecycle_limits(p_tasks uuid[])
returns table (task_uuid uuid, name text, minutes double precision, since timestamptz, action text)
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    return query
        select t.task_uuid, v.name, m.minutes,
               case when v.since is not null then greatest(v.since, w.since) end,
               tasker.staleness_action(p.lifecycle)
        from unnest(p_tasks) i(task_uuid)
        join tasker.watched_tasks w on w.task_uuid = i.task_uuid
        join tasker.tasks t on t.task_uuid = i.task_uuid
        join tasker.templates p on p.template_id = t.template_id
        cross join lateral (
            select bool_or(s.state = 'pending') as waiting,
                   max(s.finished_at) filter (
                       where s.state in ('complete', 'resolved_manually')) as progress,
                   min(s.finished_at) filter (where s.state = 'waiting_for_retry') as failed,
                   min(s.claimed_at) filter (where s.state = 'in_progress') as claimed
            from tasker.steps s where s.task_uuid = t.task_uuid) s
        cross join lateral (values
            ('max_duration_minutes', w.since),
            ('max_waiting_for_dependencies_minutes',
             case when s.waiting and t.started_at is not null
                  then greatest(t.started_at, s.progress) end),
            ('max_waiting_for_retry_minutes', s.failed),
            ('max_steps_in_process_minutes', s.claimed)) v(name, since)
        cross join lateral (select (p.lifecycle ->> v.name)::double precision as minutes) m
        where t.state in ('pending', 'in_progress') and m.minutes is not null;
end $$;

-- Those of the limits that are exceeded, and since when.
create function tasker.stale_limits(p_tasks uuid[])
returns table (task_uuid uuid, name text, minutes double precision, since timestamptz, action text,
               exceeded_at timestamptz)
language sql stable as $$
    select * from (select l.*, l.since + make_interval(secs => l.minutes * 60) as exceeded_at
                   from tasker.lifecycle_limits(p_tasks) l) l
    where l.exceeded_at <= clock_timestamp()
$$;

-- What is said of an exceeded limit.
create function tasker.limit_message(p_name text, p_minutes double precision, p_since timestamptz)
returns text
language sql stable as $$
    select format('lifecycle limit %s = %s exceeded: since %s UTC', p_name, p_minutes,
                  to_char(p_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
$$;

-- Looks at up to p_limit tasks that may be stale by now (index watched_tasks_look), and does with the
-- stale ones what their template says. Returns how many were looked at, failed, and newly made dead
-- letters.
--
-- The next look at a task is when its next limit is exceeded at the earliest: what begins to count
-- after this look takes its whole limit from then on. So nothing is looked at more than once a limit,
-- and an index on unfinished tasks, which each of them would pay for, is not needed.
--
-- Lock order: watched tasks, steps, tasks, none of which is waited for; what is locked by others is
-- looked at again soon. A repair by hand waits for the watched row last of all.
create function tasker.enforce_lifecycles(p_limit integer)
returns table (looked integer, failed integer, dead integer)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now    timestamptz := clock_timestamp();
    v_due    uuid[];
    v_doomed uuid[];
    v_failed uuid[] := '{}';
    v_dead   integer;
begin
    select array_agg(d.task_uuid) into v_due
    from (select w.task_uuid from tasker.watched_tasks w where w.look_at <= v_now
          order by w.look_at limit p_limit for update skip locked) d;
    if v_due is null then
        return query select 0, 0, 0;
        return;
    end if;

    select array_agg(distinct l.task_uuid) into v_doomed
    from tasker.stale_limits(v_due) l where l.action = 'error';
    if v_doomed is not null then
        v_failed := tasker.fail_stale(v_doomed, v_now);
    end if;

    delete from tasker.watched_tasks w
    where w.task_uuid = any (v_due) and not exists (
        select from tasker.tasks t
        where t.task_uuid = w.task_uuid and t.state in ('pending', 'in_progress'));

    with stale as (
        select distinct on (l.task_uuid) l.* from tasker.stale_limits(v_due) l
        order by l.task_uuid, l.exceeded_at),
    marked as (
        insert into tasker.transitions
            (task_uuid, step_no, at, from_state, to_state, actor, reason)
        select l.task_uuid, 0, v_now, t.state::text, t.state::text, 'lifecycle',
               tasker.limit_message(l.name, l.minutes, l.since) || ': a dead letter'
        from stale l
        join tasker.watched_tasks w on w.task_uuid = l.task_uuid
        join tasker.tasks t on t.task_uuid = l.task_uuid
        where l.action = 'dlq' and w.stale_at is null
        returning 1)
    select count(*)::integer into v_dead from marked;

    -- A stale task that is left alone is looked at now and then, whether it has ended; one that
    -- somebody else had locked, soon.
    update tasker.watched_tasks w
    set look_at = case when n.stale and n.action = 'error' then v_now + interval '5 seconds'
                       when n.stale then least(n.next_limit, v_now + interval '10 minutes')
                       else n.next_limit end,
        stale_at = case when n.stale then coalesce(w.stale_at, v_now) end
    from (select l.task_uuid, l.action, bool_or(l.at <= v_now) as stale,
                 min(l.at) filter (where l.at > v_now) as next_limit
          from (select m.task_uuid, m.action,
                       coalesce(m.since, v_now) + make_interval(secs => m.minutes * 60) as at
                from tasker.lifecycle_limits(v_due) m) l
          group by 1, 2) n
    where w.task_uuid = n.task_uuid;

    return query select cardinality(v_due), cardinality(v_failed), v_dead;
end $$;

-- Fails tasks over the first of their limits that was exceeded, as if each of their steps that could
-- still move had failed; those behind them stay pending, so a retry by hand goes on from there. What
-- is running runs on; its result is stale. Returns the tasks that could be locked, and so failed.
--
-- The row of such a step tells nothing any more (no enqueued_at): everything is on record, on the
-- legal way to the error, a microsecond apart to keep its order.
create function tasker.fail_stale(p_tasks uuid[], p_now timestamptz) returns uuid[]
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_tasks   uuid[];
    v_reasons text[];
    v_moving  tasker.step_state[] := array['enqueued', 'in_progress', 'waiting_for_retry'];
begin
    with locked as (
        select s.task_uuid from tasker.steps s where s.task_uuid = any (p_tasks)
        order by s.task_uuid, s.step_no for no key update skip locked)
    select array_agg(l.task_uuid) into v_tasks
    from (select k.task_uuid, count(*) as steps from locked k group by 1) l
    where l.steps = (select count(*) from tasker.steps s where s.task_uuid = l.task_uuid);
    select array_agg(t.task_uuid) into v_tasks
    from (select t.task_uuid from tasker.tasks t where t.task_uuid = any (v_tasks)
          order by t.task_uuid for no key update skip locked) t;

    -- A statement of its own: its snapshot sees what was committed before the locks came.
    select array_agg(l.task_uuid), array_agg(tasker.limit_message(l.name, l.minutes, l.since))
    into v_tasks, v_reasons
    from (select distinct on (l.task_uuid) l.* from tasker.stale_limits(v_tasks) l
          where l.action = 'error' order by l.task_uuid, l.exceeded_at) l;
    if v_tasks is null then
        return '{}';
    end if;

    insert into tasker.transitions
        (task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason, error)
    select r.task_uuid, r.step_no, r.at, r.from_state, r.to_state, r.attempt, r.event_id,
           r.actor, r.reason, r.error
    from tasker.steps s
    join tasker.told_transitions r on r.task_uuid = s.task_uuid and r.step_no = s.step_no
    where s.task_uuid = any (v_tasks) and s.state = any (v_moving);

    with failing as (
        select s.task_uuid, s.step_no, s.state, s.attempts, s.event_id, i.reason
        from unnest(v_tasks, v_reasons) i(task_uuid, reason)
        join tasker.steps s on s.task_uuid = i.task_uuid
        where s.state = any (v_moving)),
    on_record as (
        insert into tasker.transitions
            (task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason)
        select f.task_uuid, f.step_no, p_now + p.place * interval '1 microsecond',
               p.from_state::text, p.to_state,
               case when f.state = 'in_progress' then f.attempts end,
               case when f.state = 'in_progress' then f.event_id end, 'lifecycle', f.reason
        from failing f
        join (values (1, 'waiting_for_retry'::tasker.step_state, 'enqueued'),
                     (2, 'enqueued', 'in_progress'),
                     (3, 'in_progress', 'error')) p(place, from_state, to_state)
            on p.place >= array_position(
                array['waiting_for_retry', 'enqueued', 'in_progress'], f.state::text)),
    failed as (
        update tasker.steps s
        set state = 'error', finished_at = p_now, enqueued_at = null, due_at = null,
            result = null, metadata = null,
            error = json_build_object(
                'message', f.reason, 'error_type', 'timeout', 'error_code', 'LIFECYCLE_LIMIT',
                'retryable', false, 'attempt', s.attempts)
        from failing f
        where s.task_uuid = f.task_uuid and s.step_no = f.step_no
        returning s.task_uuid),
    counted as (select f.task_uuid, count(*)::integer as steps from failed f group by 1),
    ended as (
        insert into tasker.transitions
            (task_uuid, step_no, at, from_state, to_state, actor, reason)
        select t.task_uuid, 0, p_now + p.place * interval '1 microsecond', p.from_state::text,
               p.to_state, 'lifecycle', i.reason
        from unnest(v_tasks, v_reasons) i(task_uuid, reason)
        join tasker.tasks t on t.task_uuid = i.task_uuid
        join (values (1, 'pending'::tasker.task_state, 'in_progress'),
                     (2, 'in_progress', 'error')) p(place, from_state, to_state)
            on p.place >= array_position(array['pending', 'in_progress'], t.state::text))
    update tasker.tasks t
    set state = 'error', completed_at = p_now,
        failed_steps = t.failed_steps + coalesce(c.steps, 0)
    from unnest(v_tasks) i(task_uuid) left join counted c using (task_uuid)
    where t.task_uuid = i.task_uuid;

    perform tasker.announce_end(t.task_uuid) from tasker.tasks t
    where t.task_uuid = any (v_tasks) and t.waited;
    return v_tasks;
end $$;

-- Somebody has seen to a task: its limits count anew. The caller has locked the task.
create function tasker.watch_again(p_task uuid) returns void
language sql as $$
    insert into tasker.watched_tasks (task_uuid, since, look_at)
    select t.task_uuid, clock_timestamp(),
           clock_timestamp() + make_interval(secs => w.least_limit * 60)
    from tasker.tasks t join tasker.templates w using (template_id)
    where t.task_uuid = p_task and w.least_limit is not null
      and t.state in ('pending', 'in_progress')
    on conflict (task_uuid) do update
        set since = excluded.since, look_at = excluded.look_at, stale_at = null
$$;
