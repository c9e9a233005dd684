-- Steps that come to be in the transaction that ends a deciding step (tasker_mp/template/growth.py
-- says which), and what the failure of one of many batches leads to.

-- What has become of a task so far, for GrowingTemplate.grow: how many deciding steps have ended,
-- the steps that are done, and those that came to be, as [number, template's name].
create function tasker.standing_of(p_task uuid) returns json
language sql stable as $$
    select json_build_object(
        'growths', t.growths,
        'decided', coalesce((
            select json_agg(s.step_no) from tasker.steps s
            where s.task_uuid = p_task and s.state in ('complete', 'resolved_manually')), '[]'),
        'made', coalesce((
            select json_agg(json_build_array(s.step_no, coalesce(s.template_step, s.name))
                            order by s.step_no)
            from tasker.steps s
            where s.task_uuid = p_task
              and not exists (select from tasker.template_steps i
                              where i.template_id = s.template_id and i.step_no = s.step_no)), '[]'))
    from tasker.tasks t where t.task_uuid = p_task
$$;

-- What becomes of the others when a batch worker fails for good; null for every other step.
create function tasker.failure_strategy(p_inputs json) returns text
language sql immutable parallel safe as $$
    select p_inputs #>> '{batch_metadata,failure_strategy}'
$$;

-- Whether a step in this state lets its children run.
create function tasker.lets_through(p_state tasker.step_state, p_inputs json) returns boolean
language sql immutable parallel safe as $$
    select p_state in ('complete', 'resolved_manually')
        or p_state = 'error' and p_inputs is not null
           and tasker.failure_strategy(p_inputs) = 'continue_on_failure'
$$;

-- Makes the steps that p_growths asks for: a JSON array of
-- {task, step, event, growths, steps[], edges[], late_edges[], widened[]}, each for a deciding step
-- that is about to complete under that event. Returns the events for which that was computed too
-- early: another deciding step of the task has ended since.
--
-- Lock order: the caller holds the tasks' rows, and with them all other growth of these tasks; then
-- steps by (task_uuid, step_no). Comes before the caller's results: what they complete is still in
-- progress here, has its children counted, and unlocks them as ever.
create function tasker.grow_tasks(p_growths json) returns uuid[]
language plpgsql as $$
declare
    v_early uuid[];
    v_tasks uuid[];
    v_asked json;
begin
    -- What is not held under its event any more leads to nothing: the result is stale.
    with asked as (
        select g.*, t.template_id, g.growths = t.growths
               and row_number() over (partition by g.task order by g.step) = 1 as timely
        from json_to_recordset(p_growths)
            g(task uuid, step integer, event uuid, growths integer,
              steps json, edges json, late_edges json, widened json)
        join tasker.tasks t on t.task_uuid = g.task
        join tasker.steps s on s.task_uuid = g.task and s.step_no = g.step
                           and s.event_id = g.event and s.state = 'in_progress')
    select array_agg(a.event) filter (where not a.timely),
           array_agg(a.task) filter (where a.timely),
           json_agg(a) filter (where a.timely)
    into v_early, v_tasks, v_asked from asked a;
    if v_tasks is null then
        return v_early;
    end if;

    perform from tasker.steps s
        where s.task_uuid = any (v_tasks) and s.state <> 'complete'
        order by s.task_uuid, s.step_no for no key update;

    with added as (
        select g.task, (e.value ->> 0)::integer as step_no,
               array_agg((e.value ->> 1)::integer) as children
        from json_to_recordset(v_asked) g(task uuid, edges json), json_array_elements(g.edges) e
        group by 1, 2),
    parents as (
        update tasker.steps s set children = s.children || a.children
        from added a where s.task_uuid = a.task and s.step_no = a.step_no
        returning s.task_uuid, cardinality(s.children) = cardinality(a.children)
                               and not tasker.lets_through(s.state, s.inputs) as was_sink),
    made as (
        insert into tasker.steps (task_uuid, step_no, template_id, waiting_on, state, name,
                                  children, ancestors, template_step, inputs)
        select g.task, n.no, g.template_id,
               -- Those that come to be here are not there to be seen yet.
               (select count(*) from unnest(n.parents) p
                left join tasker.steps s on s.task_uuid = g.task and s.step_no = p
                where s.step_no is null or not tasker.lets_through(s.state, s.inputs)),
               'pending', n.name, n.children, n.ancestors, n.template_step, n.inputs
        from json_to_recordset(v_asked) g(task uuid, template_id integer, steps json),
             json_to_recordset(g.steps) n(no integer, name text, parents integer[],
                                          children integer[], ancestors integer[],
                                          template_step text, inputs json)
        returning task_uuid, children = '{}' as is_sink),
    sinks as (
        select u.task_uuid, sum(u.change)::integer as change
        from (select p.task_uuid, -p.was_sink::integer as change from parents p
              union all select m.task_uuid, m.is_sink::integer from made m) u
        group by 1)
    update tasker.tasks t
    set growths = t.growths + 1,
        open_sinks = t.open_sinks + coalesce(
            (select s.change from sinks s where s.task_uuid = t.task_uuid), 0)
    where t.task_uuid = any (v_tasks);

    update tasker.steps s set waiting_on = s.waiting_on + e.count
    from (select g.task, (e.value ->> 1)::integer as step_no, count(*)::integer as count
          from json_to_recordset(v_asked) g(task uuid, late_edges json),
               json_array_elements(g.late_edges) e
          group by 1, 2) e
    where s.task_uuid = e.task and s.step_no = e.step_no;

    update tasker.steps s set ancestors = s.ancestors || w.extra
    from (select g.task, (w.value ->> 0)::integer as step_no,
                 array(select json_array_elements_text(w.value -> 1)::integer) as extra
          from json_to_recordset(v_asked) g(task uuid, widened json),
               json_array_elements(g.widened) w) w
    where s.task_uuid = w.task and s.step_no = w.step_no;
    return v_early;
end $$;

-- Cancels what has not begun of the batches that p_tasks, p_nos, failed workers with the strategy
-- fail_fast, belong to; what runs runs on. Lock order: as tasker.grow_tasks.
create function tasker.halt_batches(p_tasks uuid[], p_nos integer[], p_now timestamptz)
returns void
language plpgsql as $$
declare
    v_failed tasker.steps;
    v_nos    integer[];
begin
    for v_failed in  -- a failure is rare
        select s.* from unnest(p_tasks, p_nos) i(task_uuid, step_no)
        join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
        order by s.task_uuid, s.step_no
    loop
        select array_agg(s.step_no order by s.step_no) into v_nos from tasker.steps s
        where s.task_uuid = v_failed.task_uuid and s.template_step = v_failed.template_step
          and s.state in ('pending', 'enqueued', 'waiting_for_retry');
        perform tasker.record_repair(
            v_failed.task_uuid, v_nos, 'cancelled', p_now, null,
            format('fail_fast: %s has failed', v_failed.name));
        update tasker.steps s set state = 'cancelled', finished_at = p_now, due_at = null
        where s.task_uuid = v_failed.task_uuid and s.step_no = any (v_nos);
    end loop;
end $$;

-- Keeps the checkpoints of the steps whose place in p_states is in_progress (p_payloads has them), and
-- goes on with them without charging an attempt: the first p_capacity under a new event for p_owner,
-- the others by way of their queue. `kept`: the events that were accepted. Lock order and plans: the
-- caller's.
create function tasker.keep_checkpoints(
    p_tasks uuid[], p_nos integer[], p_events uuid[], p_states tasker.step_state[],
    p_payloads json, p_owner uuid, p_capacity integer, p_now timestamptz,
    out kept uuid[], out direct_tasks uuid[], out direct_nos integer[])
language plpgsql as $$
declare
    v_queued_tasks uuid[];
    v_queued_nos   integer[];
begin
    with yielded as (
        select i.*, row_number() over () <= p_capacity as direct
        from rows from (unnest(p_tasks, p_nos, p_events, p_states),
                        json_array_elements(p_payloads))
            i(task_uuid, step_no, event_id, state, payload)
        where i.state = 'in_progress' and i.step_no between 1 and 1048575),
    moved as (
        update tasker.steps s
        set checkpoint = y.payload,
            state = case when y.direct then 'in_progress' else 'enqueued' end::tasker.step_state,
            attempts = s.attempts - (not y.direct)::integer,
            event_id = case when y.direct then gen_random_uuid() else s.event_id end,
            owner = p_owner, enqueued_at = p_now,
            claimed_at = case when y.direct then p_now else s.claimed_at end
        from yielded y
        where s.task_uuid = y.task_uuid and s.step_no = y.step_no
          and s.event_id = y.event_id and s.state = 'in_progress'
        returning s.task_uuid, s.step_no, y.event_id, y.direct)
    select array_agg(m.event_id),
           array_agg(m.task_uuid) filter (where m.direct),
           array_agg(m.step_no) filter (where m.direct),
           array_agg(m.task_uuid) filter (where not m.direct),
           array_agg(m.step_no) filter (where not m.direct)
    into kept, direct_tasks, direct_nos, v_queued_tasks, v_queued_nos from moved m;
    if v_queued_tasks is not null then
        perform tasker.send_ready(v_queued_tasks, v_queued_nos);
    end if;
end $$;
