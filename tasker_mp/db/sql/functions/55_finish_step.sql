-- Finishes one complete step that has at most one child, and continues its task: finish_steps for the
-- task that is alone, whose time is what the statements of a batch take to begin and to end (0.42
-- against 0.26 ms a call). Whatever else it meets, it leaves to finish_steps, with the same answer.
--
-- No growth and no durable events. p_metadata is null or an object, p_capacity is 1 at least.
-- Lock order: as finish_steps.
create function tasker.finish_step(
    p_owner uuid, p_task uuid, p_no integer, p_event uuid, p_payload json, p_metadata json,
    p_results integer, p_capacity integer, p_released bigint[])
returns setof tasker.finished
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now   timestamptz := clock_timestamp();
    v_kids  integer[];
    v_next  tasker.steps;
    v_ready record;
    v_claim bigint;
begin
    update tasker.steps s
    set state = 'complete', result = p_payload, error = null, metadata = p_metadata,
        finished_at = v_now, due_at = null
    where s.task_uuid = p_task and s.step_no = p_no
      and s.event_id = p_event and s.state = 'in_progress' and cardinality(s.children) < 2
    returning s.children into v_kids;
    if not found then
        return query select * from tasker.finish_steps(
            p_owner, array[p_task], array[p_no], array[p_event], '{complete}',
            json_build_array(p_payload), json_build_array(p_metadata), '{0}', '{false}',
            array[p_results], p_capacity, p_released);
        return;
    end if;

    if v_kids <> '{}' then
        update tasker.steps c
        set waiting_on = 0, state = 'in_progress', enqueued_at = v_now,
            attempts = c.attempts + 1, event_id = gen_random_uuid(),
            owner = p_owner, claimed_at = v_now
        where c.task_uuid = p_task and c.step_no = v_kids[1]
          and c.state = 'pending' and c.waiting_on = 1
        returning c.* into v_next;
        if not found then  -- it waits for others, or never will
            v_ready := tasker.unlock_children(array[p_task], v_kids, p_owner, 1, v_now);
            v_kids := v_ready.direct_nos;
        end if;
    end if;

    if v_kids <> '{}' then
        insert into tasker.claims (owner, task_uuids, step_nos)
        values (p_owner, array[p_task], v_kids) returning claim_id into v_claim;
        if cardinality(v_next.ancestors) = p_results + 1 then
            return query select 'step', v_next.task_uuid, v_next.step_no, v_next.event_id,
                                v_next.template_id, v_next.name, v_next.attempts, v_next.crashes,
                                v_claim, null::uuid, null::json, null::json, null::text, null::json,
                                p_no;
        else
            return query select 'step', h.*, null::integer
                         from tasker.hydrate(array[p_task], v_kids, v_claim) h;
        end if;
    else
        return query select 'task', e.task_uuid, null::integer, null::uuid, null::integer,
                            e.state::text, null::integer, null::integer, null::bigint, null::uuid,
                            null::json, null::json, null::text, null::json, null::integer
                     from tasker.settle_tasks(
                         array[p_task], case when v_kids = '{}' then array[p_task] end, null, v_now) e;
    end if;

    if p_released is not null then
        delete from tasker.claims c where c.claim_id = any (p_released);
    end if;
end $$;
