-- Submits tasks: rows for tasks and steps, root steps enqueued, in one transaction.
--
-- Arrays and the elements of the JSON arrays are parallel, one place a task. p_details holds null
-- or {tags, initiator, reason, correlation_id, traceparent}. p_keys holds null or an idempotency key, p_digests
-- the digest of the task's content. Returns a row a task, in order: the task's UUID, and when it was
-- created; null for an earlier one under the same key and content. The same key with other content
-- raises TK001, an unknown template TK002, and nothing is written. Plans: see tasker.claim_steps.
create function tasker.submit_tasks(
    p_tasks uuid[], p_templates integer[], p_priorities smallint[], p_contexts json,
    p_details json default null, p_keys text[] default null, p_digests bytea[] default null)
returns table (task_uuid uuid, created_at timestamptz)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_now      timestamptz := clock_timestamp();
    v_resolved uuid[] := p_tasks;
    v_clash    record;
    v_unknown  integer;
    v_watched  boolean;
    v_tasks    uuid[];
    v_nos      integer[];
begin
    select min(u) filter (where w.template_id is null), bool_or(w.least_limit is not null)
    into v_unknown, v_watched
    from unnest(p_templates) u left join tasker.templates w on w.template_id = u;
    if v_unknown is not null then
        raise exception 'template % is not in this database', v_unknown using errcode = 'TK002';
    end if;

    if p_keys is not null then
        insert into tasker.idempotency_keys (namespace, name, key, task_uuid, digest)
        select w.namespace, w.name, i.key, i.task_uuid, i.digest
        from unnest(p_tasks, p_templates, p_keys, p_digests) i(task_uuid, template_id, key, digest)
        join tasker.templates w on w.template_id = i.template_id
        where i.key is not null
        order by 1, 2, 3
        on conflict do nothing;

        -- A statement of its own: its snapshot sees the rows that the insert waited for.
        select i.key, k.task_uuid into v_clash
        from unnest(p_templates, p_keys, p_digests) i(template_id, key, digest)
        join tasker.templates w on w.template_id = i.template_id
        cross join lateral (
            select k.task_uuid, k.digest from tasker.idempotency_keys k
            where k.namespace = w.namespace and k.name = w.name and k.key = i.key
            offset 0) k  -- looked up by the whole key, and not by the template alone
        where k.digest <> i.digest
        limit 1;
        if found then
            raise exception 'idempotency key "%" belongs to task % with another context',
                v_clash.key, v_clash.task_uuid using errcode = 'TK001';
        end if;

        select array_agg(coalesce(k.task_uuid, i.task_uuid) order by i.ord) into v_resolved
        from unnest(p_tasks, p_templates, p_keys) with ordinality i(task_uuid, template_id, key, ord)
        join tasker.templates w on w.template_id = i.template_id
        left join lateral (
            select k.task_uuid from tasker.idempotency_keys k
            where k.namespace = w.namespace and k.name = w.name and k.key = i.key
            offset 0) k on true;
    end if;

    insert into tasker.tasks (task_uuid, template_id, priority, open_sinks, created_at, context,
                              correlation_id, traceparent, initiator, reason, tags)
    select i.task_uuid, i.template_id, i.priority, w.sinks, v_now, i.context,
           (i.details ->> 'correlation_id')::uuid, i.details ->> 'traceparent',
           i.details ->> 'initiator',
           i.details ->> 'reason',
           case when json_typeof(i.details -> 'tags') = 'array'
                then array(select json_array_elements_text(i.details -> 'tags')) end
    from rows from (unnest(p_tasks, p_templates, p_priorities, v_resolved),
                    json_array_elements(p_contexts), json_array_elements(p_details))
        i(task_uuid, template_id, priority, resolved, context, details)
    join tasker.templates w on w.template_id = i.template_id
    where i.task_uuid = i.resolved;

    if v_watched then
        insert into tasker.watched_tasks (task_uuid, since, look_at)
        select i.task_uuid, v_now, v_now + make_interval(secs => w.least_limit * 60)
        from unnest(p_tasks, p_templates, v_resolved) i(task_uuid, template_id, resolved)
        join tasker.templates w on w.template_id = i.template_id
        where i.task_uuid = i.resolved and w.least_limit is not null;
    end if;

    with made as (  -- in the order of the arrays
        insert into tasker.steps (task_uuid, step_no, template_id, waiting_on, state, enqueued_at,
                                  name, children, ancestors)
        select i.task_uuid, s.step_no, i.template_id, s.parents,
               case when s.parents = 0 then 'enqueued' else 'pending' end::tasker.step_state,
               case when s.parents = 0 then v_now end, s.name, s.children, s.ancestors
        from unnest(p_tasks, p_templates, v_resolved) i(task_uuid, template_id, resolved)
        join tasker.template_steps s on s.template_id = i.template_id
        where i.task_uuid = i.resolved
        returning task_uuid, step_no, state)
    select array_agg(m.task_uuid), array_agg(m.step_no) into v_tasks, v_nos
    from made m where m.state = 'enqueued';
    if v_tasks is not null then
        perform tasker.send_ready(v_tasks, v_nos);
    end if;

    return query
        select r.resolved, case when r.resolved = r.task_uuid then v_now end
        from unnest(p_tasks, v_resolved) r(task_uuid, resolved);
end $$;
