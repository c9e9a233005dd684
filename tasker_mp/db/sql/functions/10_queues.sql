-- A namespace has three queues: a priority above or below 0 has one of its own.
create function tasker.queue_name(p_namespace text, p_priority integer) returns text
language sql immutable parallel safe as $$
    select 'worker_' || p_namespace || '_queue'
        || case when p_priority > 0 then '_high' when p_priority < 0 then '_low' else '' end
$$;

-- The table of a queue, as PGMQ names it (pgmq.format_table_name).
create function tasker.queue_table(p_queue text) returns text
language sql immutable parallel safe as $$
    select lower('q_' || p_queue)
$$;

-- Creates the queues of a namespace where they are missing, with autovacuum kept close behind the
-- work: a queue table is small and turns over completely.
create function tasker.create_queues(p_namespace text) returns void
language plpgsql as $$
declare
    v_queue text;
begin
    foreach v_queue in array array[
        tasker.queue_name(p_namespace, 1),
        tasker.queue_name(p_namespace, 0),
        tasker.queue_name(p_namespace, -1)]
    loop
        continue when exists (select from pgmq.meta where queue_name = v_queue);
        perform pgmq.create(v_queue);
        execute format(
            'alter table pgmq.%I set (autovacuum_vacuum_scale_factor = 0,
                autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
                autovacuum_vacuum_insert_scale_factor = 0,
                autovacuum_vacuum_insert_threshold = 100000)',
            tasker.queue_table(v_queue));
    end loop;
end $$;

-- Puts ready steps into their queues and says once a call that each of these has work. The caller
-- has set the steps to enqueued in this same transaction.
--
-- Into the queue's table itself: pgmq.send_batch takes 120 µs to come to this insert of 11 µs
-- (docs/adr/0003).
create function tasker.send_ready(p_tasks uuid[], p_nos integer[]) returns void
language plpgsql as $$
declare
    v_group record;
begin
    for v_group in
        select tasker.queue_name(w.namespace, t.priority) as queue,
               array_agg(jsonb_build_object('task', r.task_uuid, 'step', r.step_no)
                         order by r.ord) as messages
        from unnest(p_tasks, p_nos) with ordinality r(task_uuid, step_no, ord)
        join tasker.tasks t on t.task_uuid = r.task_uuid
        join tasker.templates w on w.template_id = t.template_id
        where r.step_no between 1 and 1048575
        group by 1
    loop
        execute format(
            'insert into pgmq.%I (vt, message) select clock_timestamp(), m from unnest($1) m',
            tasker.queue_table(v_group.queue)) using v_group.messages;
        perform pg_notify('tasker_ready', v_group.queue);
    end loop;
end $$;

-- Where the durable domain events of a namespace wait for whoever reads them.
create function tasker.event_queue(p_namespace text) returns text
language sql immutable parallel safe as $$
    select 'domain_events_' || p_namespace
$$;

-- Creates that queue where it is missing.
create function tasker.create_event_queue(p_namespace text) returns void
language plpgsql as $$
begin
    if not exists (select from pgmq.meta where queue_name = tasker.event_queue(p_namespace)) then
        perform pgmq.create(tasker.event_queue(p_namespace));
    end if;
end $$;

-- Puts domain events into the queues of their namespaces, those of the accepted events only:
-- p_events is a JSON array of {event, namespace, message}.
create function tasker.send_events(p_events json, p_accepted uuid[]) returns void
language plpgsql as $$
declare
    v_group record;
begin
    for v_group in
        select d.namespace, array_agg(d.message order by d.ord) as messages
        from rows from (json_to_recordset(p_events) as (event uuid, namespace text, message jsonb))
            with ordinality d(event, namespace, message, ord)
        where d.event = any (p_accepted)
        group by 1
    loop
        execute format(
            'insert into pgmq.%I (vt, message) select clock_timestamp(), m from unnest($1) m',
            tasker.queue_table(tasker.event_queue(v_group.namespace))) using v_group.messages;
    end loop;
end $$;
