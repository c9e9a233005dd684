-- Announces a supervisor and makes sure that its queues are there; p_predecessor is an incarnation known to be dead (or null), whose steps
-- are recovered at once. Returns how many.
create function tasker.register_supervisor(
    p_supervisor uuid, p_worker_id text, p_host text, p_pid integer, p_namespaces text[],
    p_predecessor uuid)
returns integer
language plpgsql as $$
begin
    insert into tasker.supervisors (supervisor_uuid, worker_id, host, pid, namespaces)
    values (p_supervisor, p_worker_id, p_host, p_pid, p_namespaces);
    perform tasker.create_queues(n) from unnest(p_namespaces) n;
    return case when p_predecessor is null then 0 else tasker.recover_owner(p_predecessor) end;
end $$;

-- Keeps a supervisor's lease, and recovers the steps of every other whose lease of p_lease seconds
-- has run out. Returns how many steps were recovered.
create function tasker.heartbeat(p_supervisor uuid, p_lease double precision) returns integer
language plpgsql as $$
declare
    v_dead  uuid;
    v_total integer := 0;
begin
    update tasker.supervisors set heartbeat_at = clock_timestamp()
    where supervisor_uuid = p_supervisor;
    for v_dead in
        select s.supervisor_uuid from tasker.supervisors s
        where s.heartbeat_at < clock_timestamp() - make_interval(secs => p_lease)
          and s.supervisor_uuid <> p_supervisor
        for update skip locked
    loop
        v_total := v_total + tasker.recover_owner(v_dead);
    end loop;
    return v_total;
end $$;

-- Gives back everything that a dead (or departing) supervisor holds: enqueued again, no attempt
-- charged. Lock order: steps, as tasker.finish_steps. Returns how many steps.
create function tasker.recover_owner(p_owner uuid) returns integer
language plpgsql as $$
declare
    v_tasks uuid[];
    v_nos   integer[];
begin
    select array_agg(h.task_uuid), array_agg(h.step_no) into v_tasks, v_nos
    from (select unnest(c.task_uuids) as task_uuid, unnest(c.step_nos) as step_no
          from tasker.claims c where c.owner = p_owner) h;
    delete from tasker.claims where owner = p_owner;
    delete from tasker.supervisors where supervisor_uuid = p_owner;
    return tasker.give_back(p_owner, v_tasks, v_nos, 'its supervisor is gone');
end $$;

-- Enqueues claimed steps again without charging the attempt, those that p_owner still holds.
create function tasker.give_back(p_owner uuid, p_tasks uuid[], p_nos integer[], p_reason text)
returns integer
language plpgsql as $$
declare
    v_tasks uuid[];
    v_nos   integer[];
begin
    with held as (
        select s.task_uuid, s.step_no, s.claimed_at, s.enqueued_at, s.event_id, s.attempts
        from unnest(p_tasks, p_nos) i(task_uuid, step_no)
        join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
        where s.state = 'in_progress' and s.owner = p_owner
        order by s.task_uuid, s.step_no
        for no key update of s),
    returned as (
        update tasker.steps s
        set state = 'enqueued', attempts = s.attempts - 1, enqueued_at = clock_timestamp()
        from held h
        where s.task_uuid = h.task_uuid and s.step_no = h.step_no
        returning s.task_uuid, s.step_no),
    recorded as (
        insert into tasker.transitions
            (task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason)
        select h.task_uuid, h.step_no, m.at, m.from_state, m.to_state, h.attempts, h.event_id,
               p_owner::text, m.reason
        from held h cross join lateral (values
            (h.enqueued_at, null, 'enqueued', null),
            (h.claimed_at, 'enqueued', 'in_progress', null),
            (clock_timestamp(), 'in_progress', 'enqueued', p_reason))
            m(at, from_state, to_state, reason))
    select array_agg(r.task_uuid), array_agg(r.step_no) into v_tasks, v_nos from returned r;
    if v_tasks is null then
        return 0;
    end if;
    perform tasker.send_ready(v_tasks, v_nos);
    return cardinality(v_tasks);
end $$;
