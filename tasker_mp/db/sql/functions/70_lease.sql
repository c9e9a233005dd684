-- Announces a supervisor and makes sure that its queues are there; p_predecessor is an incarnation
-- known to be dead (or null), whose steps are recovered at once. Returns how many. May be repeated.
-- First of all the dead one's sessions end: nothing is locked here while they are waited for.
create function tasker.register_supervisor(
    p_supervisor uuid, p_worker_id text, p_host text, p_pid integer, p_namespaces text[],
    p_predecessor uuid)
returns integer
language plpgsql as $$
begin
    perform tasker.end_sessions(p_predecessor);
    insert into tasker.supervisors (supervisor_uuid, worker_id, host, pid, namespaces)
    values (p_supervisor, p_worker_id, p_host, p_pid, p_namespaces)
    on conflict (supervisor_uuid) do update set heartbeat_at = clock_timestamp();
    delete from tasker.supervisors where heartbeat_at < clock_timestamp() - interval '30 days';
    perform tasker.create_queues(n) from unnest(p_namespaces) n;
    return case when p_predecessor is null then 0 else tasker.recover_owner(p_predecessor) end;
end $$;

-- Keeps a supervisor's lease, says that it is running, paused or draining, and recovers what is claimed
-- by anybody whose lease of p_lease seconds has run out. Returns how many steps were recovered.
--
-- Claims lead to the dead, not the supervisors' rows: a claim may still commit after its owner was
-- recovered and forgotten. A row whose lease has run out stays (for 30 days), since its supervisor
-- may only have stood still: it goes on under the same lease, and is refused what it held before.
create function tasker.heartbeat(
    p_supervisor uuid, p_lease double precision, p_state text)
returns integer
language plpgsql as $$
declare
    v_dead  uuid;
    v_total integer := 0;
begin
    update tasker.supervisors set heartbeat_at = clock_timestamp(), state = p_state
    where supervisor_uuid = p_supervisor;
    for v_dead in
        select distinct c.owner from tasker.claims c
        where c.owner <> p_supervisor and not exists (
            select from tasker.supervisors s
            where s.supervisor_uuid = c.owner
              and s.heartbeat_at >= clock_timestamp() - make_interval(secs => p_lease))
    loop
        perform tasker.end_sessions(v_dead);
        v_total := v_total + tasker.recover_claims(v_dead, 'its supervisor''s lease ran out');
    end loop;
    return v_total;
end $$;

-- Gives back everything that a dead (or departing) supervisor holds, and forgets it. Returns how
-- many steps.
create function tasker.recover_owner(p_owner uuid) returns integer
language plpgsql as $$
begin
    perform tasker.end_sessions(p_owner);
    delete from tasker.supervisors where supervisor_uuid = p_owner;
    return tasker.recover_claims(p_owner, 'its supervisor is gone');
end $$;

-- Ends what a supervisor's sessions still execute, but for this one, and waits until they are gone.
-- A backend notices the death of its client only when it has something to say: a claim that waits
-- for a lock would commit after all claims of its owner were given back. Its sessions carry its UUID
-- at the end of application_name (tasker_mp/db/connect.py). One that has only stood still connects
-- again, and asks what it holds. A session that does not end in time is left to the next heartbeat.
create function tasker.end_sessions(p_owner uuid) returns void
language plpgsql as $$
declare
    v_until constant timestamptz := clock_timestamp() + interval '3 seconds';
begin
    loop
        perform pg_stat_clear_snapshot();  -- it is kept for the whole transaction otherwise
        perform pg_terminate_backend(a.pid)
        from pg_stat_activity a
        where right(a.application_name, 36) = p_owner::text and a.usename = session_user
          and a.pid <> pg_backend_pid() and a.backend_type = 'client backend';
        exit when not found or clock_timestamp() > v_until;
        perform pg_sleep(0.005);
    end loop;
end $$;

-- Gives back everything that an owner's claims name. Lock order: steps, claims, as
-- tasker.finish_steps: a supervisor taken for dead may be finishing at this moment.
create function tasker.recover_claims(p_owner uuid, p_reason text) returns integer
language plpgsql as $$
declare
    v_claims bigint[];
    v_tasks  uuid[];
    v_nos    integer[];
    v_total  integer;
begin
    select array_agg(distinct h.claim_id), array_agg(h.task_uuid), array_agg(h.step_no)
    into v_claims, v_tasks, v_nos
    from (select c.claim_id, unnest(c.task_uuids) as task_uuid, unnest(c.step_nos) as step_no
          from tasker.claims c where c.owner = p_owner) h;
    v_total := tasker.give_back(p_owner, v_tasks, v_nos, p_reason);
    delete from tasker.claims where claim_id = any (v_claims);
    return v_total;
end $$;

-- Enqueues claimed steps again without charging the attempt, those that p_owner still holds. A
-- step may be named twice: by an earlier claim of the same owner, too. Returns how many. Lock
-- order: steps by (task_uuid, step_no). Plans: see tasker.claim_steps.
create function tasker.give_back(p_owner uuid, p_tasks uuid[], p_nos integer[], p_reason text)
returns integer
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now  timestamptz := clock_timestamp();
    v_held record;
begin
    select array_agg(h.task_uuid) as tasks, array_agg(h.step_no) as nos,
           array_agg(h.event_id) as events
    into v_held
    from (select distinct u.task_uuid, u.step_no
          from unnest(p_tasks, p_nos) u(task_uuid, step_no) order by 1, 2) i
    cross join lateral (
        select s.task_uuid, s.step_no, s.event_id from tasker.steps s
        where s.task_uuid = i.task_uuid and s.step_no = i.step_no
          and s.state = 'in_progress' and s.owner = p_owner
        for no key update) h;
    if v_held.tasks is null then
        return 0;
    end if;

    perform tasker.record_attempts(
        v_held.tasks, v_held.nos, v_held.events, 'enqueued', v_now, p_reason);
    update tasker.steps s
    set state = 'enqueued', attempts = s.attempts - 1, enqueued_at = v_now
    from unnest(v_held.tasks, v_held.nos) i(task_uuid, step_no)
    where s.task_uuid = i.task_uuid and s.step_no = i.step_no and i.step_no between 1 and 1048575;
    perform tasker.send_ready(v_held.tasks, v_held.nos);
    return cardinality(v_held.tasks);
end $$;
