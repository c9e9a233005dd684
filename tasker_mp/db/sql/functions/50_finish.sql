-- What the caller must act on after a commit; by `kind`, see tasker.finish_steps.
create type tasker.finished as (
    kind text, task_uuid uuid, step_no integer, event_id uuid, template_id integer, name text,
    attempt integer, crashes integer, claim_id bigint, correlation_id uuid, context json,
    dependencies json, traceparent text, extra json, follows integer);

-- Finishes a batch of claimed steps in one transaction, and continues their tasks.
--
-- Arrays and the elements of the JSON arrays are parallel, one place a result. p_states is
-- complete, waiting_for_retry (due in p_delays seconds), error, or in_progress for a step that goes on
-- from a checkpoint; p_payloads holds the result of a complete step, that checkpoint, and the error of
-- any other; p_crashed, whether the attempt took its worker down. Each is guarded by event and state.
-- p_results: of how many ancestors of a complete step the caller has the results, or -1.
-- p_growing: tasks of templates in which steps come to be at run time; p_growths: tasker.grow_tasks.
-- p_durable: domain events, as {event, queue, message}, for the results that are accepted.
--
-- Returns only what the caller must act on, by `kind`:
--   step   a child that became ready, claimed for p_owner (at most p_capacity): hydrated; or only
--          its own columns, where its input is that of the step number it `follows`, and its result
--   stale  an event that was not accepted: finished before, or given to someone else
--   early  an event whose growth must be computed anew, for what `context` says (standing_of)
--   task   a task that ended, with its state
-- Children past p_capacity go to their queue. p_released: claims of which nothing is held any more.
--
-- Lock order: the tasks that may grow, by task_uuid, and with them what becomes of all their steps;
-- then the batch's own steps (no one else touches a step in progress but by hand, in number order),
-- then children by (task_uuid, step_no), then the other tasks by task_uuid. A child that is waited for
-- is never a step of a batch. Plans: see tasker.claim_steps.
create function tasker.finish_steps(
    p_owner uuid, p_tasks uuid[], p_nos integer[], p_events uuid[], p_states tasker.step_state[],
    p_payloads json, p_metadata json, p_delays double precision[], p_crashed boolean[],
    p_results integer[], p_capacity integer, p_released bigint[],
    p_growing uuid[] default null, p_growths json default null, p_durable json default null)
returns setof tasker.finished
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now        timestamptz := clock_timestamp();
    v_events     uuid[];      -- accepted
    v_failed     uuid[];      -- tasks of accepted failures, one place a failure
    v_retried    uuid[];      -- accepted, to be tried again
    v_quiet      uuid[];      -- tasks of accepted results, without those that go on for certain
    v_sinks      uuid[];      -- tasks of complete steps without children, one place a step
    v_kid_tasks  uuid[];      -- children of complete steps, one place an edge
    v_kids       integer[];
    v_parents    integer[];
    v_results    integer[];   -- of how many ancestors of that parent the caller has the results
    v_early      uuid[];      -- not accepted yet: what they make must be computed anew
    v_halted     uuid[];      -- tasks of failed batches that end the others, one place a failure
    v_halted_nos integer[];
    v_direct     uuid[];      -- steps that the caller goes on with, one place a step
    v_direct_nos integer[];
    v_whole      uuid[];      -- those of them that are hydrated here
    v_whole_nos  integer[];
    v_kept       uuid[];      -- accepted, with a checkpoint to go on from
    v_following  tasker.finished[];  -- and those whose input the caller has
    v_ready      record;
    v_claim      bigint;
begin
    if p_growing is not null then
        perform from tasker.tasks t where t.task_uuid = any (p_growing)
            order by t.task_uuid for no key update;
        if p_growths is not null then
            v_early := tasker.grow_tasks(p_growths);
        end if;
    end if;
    if 'in_progress' = any (p_states) then
        select y.kept, y.direct_tasks, y.direct_nos into v_kept, v_direct, v_direct_nos
        from tasker.keep_checkpoints(
            p_tasks, p_nos, p_events, p_states, p_payloads, p_owner, p_capacity, v_now) y;
        v_whole := v_direct;
        v_whole_nos := v_direct_nos;
    end if;

    -- 1. The results, guarded.
    with done as (
        update tasker.steps s
        set state = i.state,
            result = case when i.state = 'complete' then i.payload end,
            error = case when i.state <> 'complete' then i.payload end,
            metadata = case when json_typeof(i.metadata) <> 'null' then i.metadata end,
            finished_at = v_now,
            crashes = s.crashes + i.crashed::integer,
            due_at = case when i.state = 'waiting_for_retry'
                          then v_now + make_interval(secs => i.delay) end
        from rows from (unnest(p_tasks, p_nos, p_events, p_states, p_delays, p_crashed, p_results),
                        json_array_elements(p_payloads), json_array_elements(p_metadata))
            i(task_uuid, step_no, event_id, state, delay, crashed, results, payload, metadata)
        where s.task_uuid = i.task_uuid and s.step_no = i.step_no
          and s.event_id = i.event_id and s.state = 'in_progress'
          and i.step_no between 1 and 1048575
          and i.state <> 'in_progress' and (v_early is null or i.event_id <> all (v_early))
        returning s.task_uuid, s.step_no, s.event_id, s.state, s.children, s.inputs, i.results,
                  s.state = 'complete'
                      or s.inputs is not null and tasker.lets_through(s.state, s.inputs) as passed)
    select d.*, e.*
    into v_events, v_failed, v_retried, v_sinks, v_quiet, v_halted, v_halted_nos,
         v_kid_tasks, v_kids, v_parents, v_results
    from (select array_agg(d.event_id),
                 array_agg(d.task_uuid) filter (where d.state = 'error'),
                 array_agg(d.event_id) filter (where d.state = 'waiting_for_retry'),
                 array_agg(d.task_uuid) filter (where d.passed and d.children = '{}'),
                 array_agg(distinct d.task_uuid) filter (where d.state <> 'waiting_for_retry'),
                 array_agg(d.task_uuid) filter (where d.state = 'error' and d.inputs is not null
                     and tasker.failure_strategy(d.inputs) = 'fail_fast'),
                 array_agg(d.step_no) filter (where d.state = 'error' and d.inputs is not null
                     and tasker.failure_strategy(d.inputs) = 'fail_fast')
          from done d) d,
         (select array_agg(d.task_uuid), array_agg(k), array_agg(d.step_no), array_agg(d.results)
          from done d, unnest(d.children) k where d.passed) e;
    if v_halted is not null then
        perform tasker.halt_batches(v_halted, v_halted_nos, v_now);
    end if;
    if p_durable is not null then
        perform tasker.send_events(p_durable, v_events);
    end if;

    if v_retried is not null then
        perform tasker.record_attempts(
            p_tasks, p_nos, v_retried, 'waiting_for_retry', v_now, null);
    end if;

    -- 2. The children: counted down, and those with nothing left to wait for made ready.
    if v_kids is not null then
        select * into v_ready from tasker.unlock_children(
            v_kid_tasks, v_kids, p_owner,
            greatest(p_capacity - coalesce(cardinality(v_direct), 0), 0), v_now,
            v_parents, v_results);
        v_following := v_ready.following;
        v_whole := v_direct || v_ready.whole_tasks;
        v_whole_nos := v_direct_nos || v_ready.whole_nos;
        v_direct := v_direct || v_ready.direct_tasks;
        v_direct_nos := v_direct_nos || v_ready.direct_nos;
        -- A task with a child made ready goes on, but what it finished must be counted even so.
        select array_agg(q) into v_quiet from (
            (select unnest(v_quiet) q
             except select unnest(v_ready.direct_tasks)
             except select unnest(v_ready.queued_tasks))
            union select unnest(v_sinks)
            union select unnest(v_failed)) quiet;
    end if;

    if v_direct is not null then
        insert into tasker.claims (owner, task_uuids, step_nos)
        values (p_owner, v_direct, v_direct_nos) returning claim_id into v_claim;
        if v_whole is not null then
            return query select 'step', h.*, null::integer
                         from tasker.hydrate(v_whole, v_whole_nos, v_claim) h;
        end if;
        if v_following is not null then
            return query select 'step', f.task_uuid, f.step_no, f.event_id, f.template_id, f.name,
                                f.attempt, f.crashes, v_claim, null::uuid, null::json, null::json,
                                null::text, null::json, f.follows
                         from unnest(v_following) f;
        end if;
    end if;

    -- 3. The tasks that may have ended: all sinks complete, or nothing left that can move.
    if v_quiet is not null then
        return query select 'task', e.task_uuid, null::integer, null::uuid, null::integer,
                            e.state::text, null::integer, null::integer, null::bigint, null::uuid,
                            null::json, null::json, null::text, null::json, null::integer
                     from tasker.settle_tasks(v_quiet, v_sinks, v_failed, v_now) e;
    end if;

    if p_released is not null then
        delete from tasker.claims c where c.claim_id = any (p_released);
    end if;
    if cardinality(p_events) > coalesce(cardinality(v_events), 0) then
        return query select case when e.event_id = any (v_early) then 'early' else 'stale' end,
                            null::uuid, null::integer, e.event_id, null::integer,
                            null::text, null::integer, null::integer, null::bigint, null::uuid,
                            case when e.event_id = any (v_early)
                                 then tasker.standing_of(e.task_uuid) end,
                            null::json, null::text, null::json, null::integer
                     from unnest(p_events, p_tasks) e(event_id, task_uuid)
                     where e.event_id <> all (coalesce(v_events, '{}'))
                       and e.event_id <> all (coalesce(v_kept, '{}'));
    end if;
end $$;

-- Counts the children of satisfied steps down, one place an edge. Those with nothing left to wait
-- for become ready: the first p_capacity are claimed for p_owner, the others go to their queue.
--
-- Who has the results of p_results ancestors of one of p_parents, and now its own, has all that a child
-- with one ancestor more is given: a step's ancestors are its parents and theirs, and what is complete or
-- resolved stays as it is. Such a child is `following` that parent, and the others are hydrated as a
-- whole. (The numbers differ where an ancestor has no result, or a parent was resolved by hand
-- before its own ancestors were done.) Lock order and plans: the caller's.
create function tasker.unlock_children(
    p_tasks uuid[], p_nos integer[], p_owner uuid, p_capacity integer, p_now timestamptz,
    p_parents integer[] default null, p_results integer[] default null,
    out direct_tasks uuid[], out direct_nos integer[],
    out whole_tasks uuid[], out whole_nos integer[], out following tasker.finished[],
    out queued_tasks uuid[], out queued_nos integer[])
language plpgsql as $$
begin
    with edges as (
        select e.task_uuid, e.step_no, count(*)::integer as finished,
               max(e.parent) as parent, max(e.results) as results
        from unnest(p_tasks, p_nos, p_parents, p_results) e(task_uuid, step_no, parent, results)
        where e.step_no between 1 and 1048575 group by 1, 2),
    locked as (
        select c.task_uuid, c.step_no, e.finished,
               case when e.finished = 1 and cardinality(c.ancestors) = e.results + 1
                    then e.parent end as follows,
               c.state = 'pending' and c.waiting_on = e.finished as ready
        from edges e
        join tasker.steps c on c.task_uuid = e.task_uuid and c.step_no = e.step_no
        order by c.task_uuid, c.step_no
        for no key update of c),
    ranked as (
        select l.*, l.ready and
               row_number() over (partition by l.ready order by l.task_uuid, l.step_no)
                   <= p_capacity as direct
        from locked l),
    counted as (
        update tasker.steps c
        set waiting_on = c.waiting_on - r.finished,
            state = case when r.direct then 'in_progress'
                         when r.ready then 'enqueued' else c.state end,
            enqueued_at = case when r.ready then p_now else c.enqueued_at end,
            attempts = c.attempts + r.direct::integer,
            event_id = case when r.direct then gen_random_uuid() else c.event_id end,
            owner = case when r.direct then p_owner else c.owner end,
            claimed_at = case when r.direct then p_now else c.claimed_at end
        from ranked r
        where c.task_uuid = r.task_uuid and c.step_no = r.step_no
        returning c.task_uuid, c.step_no, c.event_id, c.template_id, c.name, c.attempts, c.crashes,
                  r.follows, r.ready, r.direct)
    select array_agg(k.task_uuid) filter (where k.direct),
           array_agg(k.step_no) filter (where k.direct),
           array_agg(k.task_uuid) filter (where k.direct and k.follows is null),
           array_agg(k.step_no) filter (where k.direct and k.follows is null),
           array_agg(row('step', k.task_uuid, k.step_no, k.event_id, k.template_id, k.name,
                         k.attempts, k.crashes, null, null, null, null, null, null,
                         k.follows)::tasker.finished)
               filter (where k.direct and k.follows is not null),
           array_agg(k.task_uuid) filter (where k.ready and not k.direct),
           array_agg(k.step_no) filter (where k.ready and not k.direct)
    into direct_tasks, direct_nos, whole_tasks, whole_nos, following, queued_tasks, queued_nos
    from counted k;

    if queued_tasks is not null then
        perform tasker.send_ready(queued_tasks, queued_nos);
    end if;
end $$;

-- Ends the tasks among p_tasks that are over. p_sinks and p_failed name a task once for each of
-- its steps that completed without children, or failed, in this transaction.
--
-- The task's row is locked before its steps are looked at, so that of two transactions that finish
-- the last two steps of a task, the second sees what the first did. Plans: the range is there for the
-- reason that tasker.claim_steps gives; without it, all tasks were read for each batch.
create function tasker.settle_tasks(
    p_tasks uuid[], p_sinks uuid[], p_failed uuid[], p_now timestamptz)
returns table (task_uuid uuid, state tasker.task_state)
language plpgsql as $$
#variable_conflict use_column
declare
    v_troubled boolean := p_failed is not null;
    v_stuck    uuid[];
begin
    select v_troubled or bool_or(l.failed_steps > 0) into v_troubled
    from (select t.failed_steps from tasker.tasks t where t.task_uuid = any (p_tasks)
          order by t.task_uuid for no key update) l;

    return query
        with counts as (
            select u.task_uuid, sum(u.sinks)::integer as sinks, sum(u.failed)::integer as failed
            from (select s as task_uuid, 1 as sinks, 0 as failed from unnest(p_sinks) s
                  union all select f, 0, 1 from unnest(p_failed) f) u
            group by 1),
        ended as (
            update tasker.tasks t
            set open_sinks = t.open_sinks - c.sinks,
                failed_steps = t.failed_steps + c.failed,
                state = case when t.open_sinks = c.sinks then 'complete' else t.state end,
                completed_at = case when t.open_sinks = c.sinks then p_now end
            from counts c
            where t.task_uuid = c.task_uuid and t.state = 'in_progress'
              and c.failed between 0 and 1048575
            returning t.task_uuid, t.state, t.waited)
        select e.task_uuid, e.state from ended e
        where e.state = 'complete'
          and (not e.waited or tasker.announce_end(e.task_uuid));

    -- Rare: only tasks in which something failed, or whose other branches run on after that.
    if not v_troubled then
        return;
    end if;
    with stuck as (
        update tasker.tasks t
        set state = 'error', completed_at = p_now
        where t.task_uuid = any (p_tasks) and t.state = 'in_progress' and t.failed_steps > 0
          and not exists (
              select from tasker.steps s
              where s.task_uuid = t.task_uuid
                and s.state in ('enqueued', 'in_progress', 'waiting_for_retry'))
        returning t.task_uuid, t.waited)
    select array_agg(k.task_uuid) into v_stuck from stuck k
    where not k.waited or tasker.announce_end(k.task_uuid);
    return query select s, 'error'::tasker.task_state from unnest(v_stuck) s;
end $$;

-- Tells whoever waits that a task has ended. Always true, so that it can stand in a filter.
create function tasker.announce_end(p_task uuid) returns boolean
language plpgsql as $$
begin
    perform pg_notify('tasker_ended', p_task::text);
    return true;
end $$;
