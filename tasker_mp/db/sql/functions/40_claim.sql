-- A step as the supervisor needs it: who it is, under which event, and what the handler gets.
create type tasker.claimed_step as (
    task_uuid uuid, step_no integer, event_id uuid, template_id integer, name text,
    attempt integer, claim_id bigint, correlation_id uuid, context json, dependencies json);

-- Claimed steps with their task's context and their ancestors' results (primary keys only).
-- The dependencies are joined as text: nothing is parsed, and integers stay exact.
create function tasker.hydrate(p_tasks uuid[], p_nos integer[], p_claim bigint)
returns setof tasker.claimed_step
language sql stable as $$
    select s.task_uuid, s.step_no, s.event_id, s.template_id, s.name, s.attempts, p_claim,
           t.correlation_id, t.context,
           case when s.ancestors = '{}' then '{}'::json else (
               select ('{' || coalesce(string_agg(to_json(a.name)::text || ':' || a.result::text,
                                                  ','), '') || '}')::json
               from tasker.steps a
               where a.task_uuid = s.task_uuid and a.step_no = any (s.ancestors)
                 and a.state in ('complete', 'resolved_manually') and a.result is not null) end
    from unnest(p_tasks, p_nos) i(task_uuid, step_no)
    join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
    join tasker.tasks t on t.task_uuid = i.task_uuid
$$;

-- Claims up to p_capacity ready steps from the queues, in the order given, and hydrates them.
--
-- The message is popped in the claim's own transaction: from then on the step's row says who has
-- it, so that there is one record of a lease and not two (docs/adr/0001). Lock order: messages,
-- steps, tasks. A message whose step is not enqueued any more (cancelled, resolved) is dropped.
create function tasker.claim_steps(p_owner uuid, p_queues text[], p_capacity integer)
returns setof tasker.claimed_step
language plpgsql as $$
declare
    v_queue text;
    v_tasks uuid[] := '{}';
    v_nos   integer[] := '{}';
    v_batch record;
    v_claim bigint;
begin
    foreach v_queue in array p_queues loop
        exit when cardinality(v_tasks) >= p_capacity;
        select array_agg((m.message ->> 'task')::uuid) as tasks,
               array_agg((m.message ->> 'step')::integer) as nos
        into v_batch
        from pgmq.pop(v_queue, p_capacity - cardinality(v_tasks)) m;
        if v_batch.tasks is not null then
            v_tasks := v_tasks || v_batch.tasks;
            v_nos := v_nos || v_batch.nos;
        end if;
    end loop;
    if v_tasks = '{}' then
        return;
    end if;

    with claimed as (
        update tasker.steps s
        set state = 'in_progress', attempts = s.attempts + 1, event_id = gen_random_uuid(),
            owner = p_owner, claimed_at = clock_timestamp(), finished_at = null
        from unnest(v_tasks, v_nos) i(task_uuid, step_no)
        where s.task_uuid = i.task_uuid and s.step_no = i.step_no and s.state = 'enqueued'
        returning s.task_uuid, s.step_no)
    select array_agg(c.task_uuid), array_agg(c.step_no) into v_tasks, v_nos from claimed c;
    if v_tasks is null then
        return;
    end if;

    update tasker.tasks t
    set state = 'in_progress', started_at = clock_timestamp()
    from (select distinct u.task_uuid from unnest(v_tasks) u(task_uuid) order by 1) i
    where t.task_uuid = i.task_uuid and t.state = 'pending';

    insert into tasker.claims (owner, task_uuids, step_nos)
    values (p_owner, v_tasks, v_nos) returning claim_id into v_claim;
    return query select * from tasker.hydrate(v_tasks, v_nos, v_claim);
end $$;
