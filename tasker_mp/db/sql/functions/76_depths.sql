-- How many messages each of the queues holds, at most p_limit, and how old the oldest is in
-- milliseconds. Bounded, so that asking costs the same whatever the backlog: a count walks the
-- table (some 0.1 s for a million), and pgmq.metrics would walk all of it.
create function tasker.queue_depths(p_queues text[], p_limit integer)
returns table (queue text, messages bigint, oldest_ms double precision)
language plpgsql as $$
declare
    v_table text;
begin
    foreach queue in array p_queues loop
        v_table := pgmq.format_table_name(queue, 'q');
        execute format('select count(*) from (select from pgmq.%I limit %s) m', v_table, p_limit)
        into messages;
        execute format('select extract(epoch from clock_timestamp() - q.enqueued_at) * 1000
                        from pgmq.%I q order by q.msg_id limit 1', v_table)
        into oldest_ms;
        return next;
    end loop;
end $$;
