-- Repair by hand: tasks cancelled, steps tried again or resolved, each on record with who and why.
--
-- Every function answers with what it changed, and raises TK003 where the change is not possible
-- now (detail: kind, state, state wanted), TK004 for an unknown task or step, TK005 where the task
-- stays locked. Plans: see tasker.claim_steps.

-- One change: of a step, or of the task itself (step number 0).
create type tasker.repaired as (step_no integer, name text, from_state text, to_state text);

-- Locks a task's steps and then the task; its state.
--
-- Lock order: steps by number, then the task. The batches of a supervisor come in no such order, so
-- a lock that does not come soon is given up together with all the others and tried again: well
-- before the server would look for a deadlock and end one of the two.
create function tasker.lock_task(p_task uuid) returns tasker.task_state
language plpgsql
set lock_timeout = '50ms' as $$
declare
    v_state tasker.task_state;
begin
    for _ in 1 .. 200 loop
        begin
            perform from tasker.steps s where s.task_uuid = p_task
                order by s.step_no for no key update;
            select t.state into v_state from tasker.tasks t where t.task_uuid = p_task
                for no key update;
            if not found then
                raise exception 'no task %; list them with: tasker-mp task list', p_task
                    using errcode = 'TK004';
            end if;
            return v_state;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
    end loop;
    raise exception 'another session keeps task % locked; try again', p_task
        using errcode = 'TK005';
end $$;

-- Locks as tasker.lock_task, and returns the step.
create function tasker.lock_step(p_task uuid, p_no integer) returns tasker.steps
language plpgsql as $$
declare
    v_step tasker.steps;
begin
    perform tasker.lock_task(p_task);
    select * into v_step from tasker.steps s where s.task_uuid = p_task and s.step_no = p_no;
    if not found then
        raise exception 'task % has no step number %; list its steps with: tasker-mp task show %',
            p_task, p_no, p_task using errcode = 'TK004';
    end if;
    return v_step;
end $$;

-- Raises TK003 unless tasker.legal_transitions has the change; p_subject says whose it is.
create function tasker.check_transition(p_kind text, p_subject text, p_from text, p_to text)
returns void
language plpgsql as $$
begin
    if not exists (select from tasker.legal_transitions l
                   where l.kind = p_kind and l.from_state = p_from and l.to_state = p_to) then
        raise exception '%', format(
            case when p_from = p_to then '%s is %s already' else '%s is %s and cannot become %s' end,
            p_subject, p_from, p_to)
            using errcode = 'TK003', detail = concat_ws(' ', p_kind, p_from, p_to);
    end if;
end $$;

-- Raises TK003 where the step's task has ended for good.
create function tasker.check_alive(p_step tasker.steps, p_to text) returns void
language plpgsql as $$
declare
    v_state text := (select t.state from tasker.tasks t where t.task_uuid = p_step.task_uuid);
begin
    if v_state not in ('pending', 'in_progress', 'error') then
        raise exception 'step "%" cannot become %: its task % is %',
            p_step.name, p_to, p_step.task_uuid, v_state
            using errcode = 'TK003', detail = concat_ws(' ', 'step', p_step.state, p_to);
    end if;
end $$;

-- Puts on record what the rows of these steps still tell, and their change by hand to p_to. The
-- caller changes the rows afterwards.
create function tasker.record_repair(
    p_task uuid, p_nos integer[], p_to text, p_now timestamptz, p_actor text, p_reason text)
returns setof tasker.repaired
language plpgsql as $$
begin
    insert into tasker.transitions
        (task_uuid, step_no, at, from_state, to_state, attempt, event_id, actor, reason, error)
    select r.task_uuid, r.step_no, r.at, r.from_state, r.to_state, r.attempt, r.event_id,
           r.actor, r.reason, r.error
    from tasker.told_transitions r where r.task_uuid = p_task and r.step_no = any (p_nos)
    union all
    select s.task_uuid, s.step_no, p_now, s.state::text, p_to,
           case when s.state = 'in_progress' then s.attempts end,
           case when s.state = 'in_progress' then s.event_id end, p_actor, p_reason, null
    from tasker.steps s where s.task_uuid = p_task and s.step_no = any (p_nos);

    return query
        select s.step_no, s.name, s.state::text, p_to from tasker.steps s
        where s.task_uuid = p_task and s.step_no = any (p_nos) order by s.step_no;
end $$;

-- Puts a task's failure on record, which its row tells only until somebody revives or ends it.
create function tasker.record_failure(p_task uuid) returns void
language sql as $$
    insert into tasker.transitions (task_uuid, step_no, at, from_state, to_state)
    select r.task_uuid, r.step_no, r.at, r.from_state, r.to_state
    from tasker.told_task_transitions r
    where r.task_uuid = p_task and r.to_state = 'error'
$$;

-- Puts a change of the task itself on record; none where it ends up as it was.
create function tasker.record_task_repair(
    p_task uuid, p_from text, p_to text, p_actor text, p_reason text)
returns setof tasker.repaired
language sql as $$
    insert into tasker.transitions (task_uuid, step_no, at, from_state, to_state, actor, reason)
    select p_task, 0, clock_timestamp(), p_from, p_to, p_actor, p_reason where p_from <> p_to
    returning 0, '', from_state, to_state
$$;

-- Ends a task for good, and with it every step that is not over: p_state is cancelled or
-- resolved_manually. What is running runs on; its result is stale.
create function tasker.end_task(
    p_task uuid, p_state tasker.task_state, p_actor text, p_reason text)
returns setof tasker.repaired
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_old tasker.task_state := tasker.lock_task(p_task);
    v_now timestamptz := clock_timestamp();
    v_nos integer[];
begin
    perform tasker.check_transition('task', 'task ' || p_task, v_old::text, p_state::text);
    select array_agg(s.step_no) into v_nos from tasker.steps s
    where s.task_uuid = p_task and s.state not in ('complete', 'cancelled', 'resolved_manually');

    return query select * from tasker.record_repair(
        p_task, v_nos, p_state::text, v_now, p_actor, p_reason);
    perform tasker.record_failure(p_task);
    return query select * from tasker.record_task_repair(
        p_task, v_old::text, p_state::text, p_actor, p_reason);
    update tasker.steps s
    set state = p_state::text::tasker.step_state, finished_at = v_now, due_at = null,
        error = case when p_state = 'cancelled' then s.error end
    where s.task_uuid = p_task and s.step_no = any (v_nos);
    update tasker.tasks t
    set state = p_state, completed_at = v_now, failed_steps = 0,
        open_sinks = case when p_state = 'cancelled' then t.open_sinks else 0 end
    where t.task_uuid = p_task;
    perform tasker.announce_end(p_task) from tasker.tasks t
    where t.task_uuid = p_task and t.waited;
end $$;

-- Whether a failure was passed over (continue_on_failure), and what it let through has begun.
create function tasker.passed_over(p_step tasker.steps) returns boolean
language sql stable as $$
    select p_step.state = 'error' and tasker.lets_through(p_step.state, p_step.inputs)
       and (p_step.children = '{}' or exists (
            select from tasker.steps c
            where c.task_uuid = p_step.task_uuid and c.step_no = any (p_step.children)
              and c.state <> 'pending'))
$$;

-- Has the children of failures that were passed over wait for them again.
create function tasker.wait_again(p_task uuid, p_nos integer[]) returns void
language sql as $$
    update tasker.steps c set waiting_on = c.waiting_on + w.count
    from (select k as step_no, count(*)::integer as count
          from tasker.steps s, unnest(s.children) k
          where s.task_uuid = p_task and s.step_no = any (p_nos) and s.state = 'error'
            and tasker.lets_through(s.state, s.inputs)
          group by 1) w
    where c.task_uuid = p_task and c.step_no = w.step_no
$$;

-- Whether the end of a step decides which others come to be.
create function tasker.decides(p_step tasker.steps) returns boolean
language sql stable as $$
    select exists (
        select from tasker.templates w, json_array_elements(w.definition -> 'steps') d
        where w.template_id = p_step.template_id and d.value ->> 'name' = p_step.name
          and d.value ->> 'type' in ('decision', 'batchable'))
$$;

-- Enqueues failed steps with their attempts counted anew, and waiting ones as if they were due.
-- p_no null: all of the task's, at least one.
create function tasker.retry_steps(p_task uuid, p_no integer, p_actor text, p_reason text)
returns setof tasker.repaired
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_old    tasker.task_state := tasker.lock_task(p_task);
    v_now    timestamptz := clock_timestamp();
    v_step   tasker.steps;
    v_nos    integer[];
    v_failed integer;
begin
    select array_agg(s.step_no order by s.step_no), count(*) filter (where s.state = 'error')
    into v_nos, v_failed from tasker.steps s
    where s.task_uuid = p_task and s.state in ('error', 'waiting_for_retry')
      and (p_no is null or s.step_no = p_no) and not tasker.passed_over(s);
    if p_no is not null then
        v_step := tasker.lock_step(p_task, p_no);
        if tasker.passed_over(v_step) then
            raise exception 'step "%" of task % was passed over (continue_on_failure): what waited for it has begun',
                v_step.name, p_task
                using errcode = 'TK003', detail = concat_ws(' ', 'step', v_step.state, 'enqueued');
        elsif v_nos is null then
            raise exception 'step "%" of task % is %: only a failed or waiting step can be retried',
                v_step.name, p_task, v_step.state
                using errcode = 'TK003', detail = concat_ws(' ', 'step', v_step.state, 'enqueued');
        end if;
        perform tasker.check_alive(v_step, 'enqueued');
    elsif v_nos is null or v_old not in ('in_progress', 'error') then
        raise exception 'task % is %: no step of it can be retried', p_task, v_old
            using errcode = 'TK003', detail = concat_ws(' ', 'task', v_old, 'in_progress');
    end if;

    return query select * from tasker.record_repair(
        p_task, v_nos, 'enqueued', v_now, p_actor, p_reason);
    perform tasker.record_failure(p_task);
    return query select * from tasker.record_task_repair(
        p_task, v_old::text, 'in_progress', p_actor, p_reason);
    perform tasker.wait_again(p_task, v_nos);
    update tasker.steps s
    set state = 'enqueued', enqueued_at = v_now, due_at = null, finished_at = null,
        attempts = case when s.state = 'error' then 0 else s.attempts end,
        crashes = case when s.state = 'error' then 0 else s.crashes end,
        error = case when s.state = 'error' then null else s.error end
    where s.task_uuid = p_task and s.step_no = any (v_nos);
    update tasker.tasks t
    set state = 'in_progress', completed_at = null, failed_steps = t.failed_steps - v_failed
    where t.task_uuid = p_task;
    perform tasker.send_ready(array_fill(p_task, array[cardinality(v_nos)]), v_nos);
    perform tasker.watch_again(p_task);
end $$;

-- Has the steps of a task wait for all the parents that their template names, also for those that come
-- before another parent and are not counted for that (template_steps.implied): a step is resolved before
-- its own parents are done, and its end says nothing of theirs any more.
create function tasker.count_implied(p_task uuid) returns void
language sql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with missing as (
        select p.step_no as parent, i.step_no as child
        from tasker.tasks t
        join tasker.template_steps i on i.template_id = t.template_id and i.implied <> '{}'
        join tasker.steps p on p.task_uuid = t.task_uuid and p.step_no = any (i.implied)
        where t.task_uuid = p_task and p.state not in ('complete', 'resolved_manually')
          and i.step_no <> all (p.children)),
    ends as (  -- a step may be the parent of one and the child of another
        select parent as step_no, child, null as parent from missing
        union all select child, null, parent from missing)
    update tasker.steps s
    set children = s.children || e.children, waiting_on = s.waiting_on + e.parents
    from (select step_no, coalesce(array_agg(child) filter (where child is not null), '{}')
                     as children, count(parent)::integer as parents
          from ends group by 1) e
    where s.task_uuid = p_task and s.step_no = e.step_no
$$;

-- Resolves a step: its children go on as after a complete one, with p_result (or null: none) as
-- its result. The task completes where that was its last sink. Of a deciding step no steps come to be,
-- so that it cannot be given a result.
create function tasker.resolve_step(
    p_task uuid, p_no integer, p_result json, p_actor text, p_reason text)
returns setof tasker.repaired
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_step  tasker.steps := tasker.lock_step(p_task, p_no);
    v_now   timestamptz := clock_timestamp();
    v_old   text := (select t.state from tasker.tasks t where t.task_uuid = p_task);
    v_new   text;
    v_ready integer[];
begin
    perform tasker.check_transition(
        'step', format('step "%s" of task %s', v_step.name, p_task),
        v_step.state::text, 'resolved_manually');
    perform tasker.check_alive(v_step, 'resolved_manually');
    if tasker.passed_over(v_step) then
        raise exception 'step "%" of task % was passed over (continue_on_failure): what waited for it has begun',
            v_step.name, p_task
            using errcode = 'TK003', detail = concat_ws(' ', 'step', v_step.state, 'resolved_manually');
    elsif p_result is not null and tasker.decides(v_step) then
        raise exception 'step "%" of task % decides which steps come to be, which no result given by hand does: retry it, or resolve it for none',
            v_step.name, p_task
            using errcode = 'TK003', detail = concat_ws(' ', 'step', v_step.state, 'resolved_manually');
    end if;
    perform tasker.wait_again(p_task, array[p_no]);

    return query select * from tasker.record_repair(
        p_task, array[p_no], 'resolved_manually', v_now, p_actor, p_reason);
    update tasker.steps s
    set state = 'resolved_manually', finished_at = v_now, due_at = null, error = null,
        result = p_result, metadata = null
    where s.task_uuid = p_task and s.step_no = p_no;
    if v_step.waiting_on > 0 then
        perform tasker.count_implied(p_task);
    end if;

    if v_step.children <> '{}' then
        select u.queued_nos into v_ready from tasker.unlock_children(
            array_fill(p_task, array[cardinality(v_step.children)]), v_step.children,
            null, 0, v_now) u;
        return query select s.step_no, s.name, 'pending', s.state::text from tasker.steps s
                     where s.task_uuid = p_task and s.step_no = any (v_ready) order by 1;
    end if;

    -- Settled as a task in progress: it may end here, or fail again.
    perform tasker.record_failure(p_task);
    update tasker.tasks t
    set state = 'in_progress', started_at = coalesce(t.started_at, v_now), completed_at = null,
        failed_steps = t.failed_steps - (v_step.state = 'error')::integer
    where t.task_uuid = p_task;
    perform tasker.settle_tasks(
        array[p_task], case when v_step.children = '{}' then array[p_task] end, null, v_now);
    select t.state into v_new from tasker.tasks t where t.task_uuid = p_task;
    if v_new <> v_old then
        return query select * from tasker.record_task_repair(
            p_task, v_old, 'in_progress', p_actor, p_reason);
        return query select * from tasker.record_task_repair(
            p_task, 'in_progress', v_new, p_actor, p_reason);
    end if;
    perform tasker.watch_again(p_task);
end $$;
