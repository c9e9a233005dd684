-- Enqueues waiting steps whose time has come, oldest first, at most p_limit (index steps_due).
-- Returns how many, and when the next one is due (null: none waits). Lock order: steps, never waited
-- for. Plans: see tasker.claim_steps.
create function tasker.promote_due(p_limit integer)
returns table (promoted integer, next_due timestamptz)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_tasks uuid[];
    v_nos   integer[];
begin
    with due as (
        select s.task_uuid, s.step_no from tasker.steps s
        where s.due_at <= clock_timestamp() and s.state = 'waiting_for_retry'
        order by s.due_at limit p_limit
        for no key update skip locked),
    ready as (
        update tasker.steps s
        set state = 'enqueued', due_at = null, enqueued_at = clock_timestamp()
        from due d
        where s.task_uuid = d.task_uuid and s.step_no = d.step_no
        returning s.task_uuid, s.step_no)
    select array_agg(r.task_uuid), array_agg(r.step_no) into v_tasks, v_nos from ready r;
    if v_tasks is not null then
        perform tasker.send_ready(v_tasks, v_nos);
    end if;
    return query select coalesce(cardinality(v_tasks), 0),
                        (select min(s.due_at) from tasker.steps s
                         where s.due_at is not null and s.state = 'waiting_for_retry');
end $$;
