-- The queues that hold messages: since when (seconds) the oldest visible one waits, null where all
-- of them are invisible, and whether a supervisor that keeps its lease of p_lease seconds serves the
-- namespace. Looks at the head of each queue only (its primary key, from tasker.raise_floor on, so
-- that it does not walk what died there); pgmq.metrics would count.
create function tasker.waiting_queues(p_lease double precision)
returns table (queue text, namespace text, seconds double precision, served boolean)
language plpgsql as $$
declare
    v_table text;
    v_floor bigint;
    v_any   boolean;
begin
    for queue in
        select m.queue_name from pgmq.meta m
        where m.queue_name ~ '^worker_\w+_queue(_high|_low)?$' order by 1
    loop
        v_table := tasker.queue_table(queue);
        v_floor := tasker.raise_floor(v_table);
        execute format('select extract(epoch from clock_timestamp() - q.enqueued_at) from pgmq.%I q
                        where q.msg_id >= $1 and q.vt <= clock_timestamp()
                        order by q.msg_id limit 1', v_table)
        into seconds using v_floor;
        if seconds is null then
            execute format('select exists (select from pgmq.%I where msg_id >= $1)', v_table)
            into v_any using v_floor;
            continue when not v_any;
        end if;
        namespace := substring(queue from '^worker_(\w+)_queue(?:_high|_low)?$');
        served := exists (
            select from tasker.supervisors s
            where waiting_queues.namespace = any (s.namespaces)
              and s.heartbeat_at >= clock_timestamp() - make_interval(secs => p_lease));
        return next;
    end loop;
end $$;
