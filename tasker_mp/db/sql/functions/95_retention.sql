-- Deletes tasks in p_states that ended before p_before, with everything that is theirs: at most
-- p_limit tasks are looked at, and about ten times as many steps deleted, in one call. Looks in the
-- order of creation behind p_after (null: from the first one); `last` is what to go on behind, null
-- once p_before is reached.
--
-- No index on completed_at, which would cost every task its HOT updates: the primary keys are
-- time-ordered, and what ended before a time was created before it. A task that is complete while
-- one of its steps still runs stays, and so does one that somebody has locked: until another pass.
--
-- Lock order: tasks (never waited for), then what is theirs; without steps that could still move no
-- one comes from the other side. Plans: see tasker.claim_steps.
create function tasker.prune_tasks(
    p_after uuid, p_before timestamptz, p_states tasker.task_state[], p_limit integer,
    out last uuid, out tasks integer, out steps integer, out transitions integer, out keys integer)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    c_first  constant uuid := '00000000-0000-0000-0000-000000000000';
    v_end    constant uuid := (lpad(to_hex(greatest(0, extract(epoch from p_before) * 1000)::bigint), 12, '0')
                               || repeat('0', 20))::uuid;
    v_looked integer;
    v_over   boolean;
    v_tasks  uuid[];
begin
    with looked as (
        select t.task_uuid, t.state = any (p_states) and t.completed_at < p_before as over
        from tasker.tasks t
        where t.task_uuid > coalesce(p_after, c_first) and t.task_uuid < v_end
        order by t.task_uuid limit p_limit),
    counted as (
        select l.task_uuid, l.over and not s.moving as over,
               sum(case when l.over and not s.moving then s.steps else 0 end)
                   over (order by l.task_uuid) - s.steps as before
        from looked l cross join lateral (
            select count(*) as steps, coalesce(bool_or(s.state in (
                       'enqueued', 'in_progress', 'waiting_for_retry')), false) as moving
            from tasker.steps s where l.over and s.task_uuid = l.task_uuid) s)
    select count(*), (array_agg(c.task_uuid order by c.task_uuid desc))[1],
           coalesce(bool_or(c.over and c.before >= 10 * p_limit), false),
           array_agg(c.task_uuid order by c.task_uuid)
               filter (where c.over and c.before < 10 * p_limit)
    into v_looked, last, v_over, v_tasks
    from counted c;
    if v_over then
        last := v_tasks[cardinality(v_tasks)];
    elsif v_looked < p_limit then
        last := null;
    end if;

    select array_agg(l.task_uuid) into v_tasks from (
        select t.task_uuid from tasker.tasks t
        where t.task_uuid = any (v_tasks) and t.state = any (p_states) and t.completed_at < p_before
        for update skip locked) l;
    delete from tasker.steps s where s.task_uuid = any (v_tasks);
    get diagnostics steps = row_count;
    delete from tasker.transitions r where r.task_uuid = any (v_tasks);
    get diagnostics transitions = row_count;
    delete from tasker.idempotency_keys k where k.task_uuid = any (v_tasks);
    get diagnostics keys = row_count;
    delete from tasker.watched_tasks w where w.task_uuid = any (v_tasks);
    delete from tasker.tasks t where t.task_uuid = any (v_tasks);
    get diagnostics tasks = row_count;
end $$;
