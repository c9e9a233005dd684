-- How many messages each of the queues holds, at most p_limit, and how old the oldest is in
-- milliseconds. Bounded, so that asking costs the same whatever the backlog: a count walks the
-- table (some 0.1 s for a million), and pgmq.metrics would walk all of it. From tasker.raise_floor
-- on: what died below it is not walked.
create function tasker.queue_depths(p_queues text[], p_limit integer)
returns table (queue text, messages bigint, oldest_ms double precision)
language plpgsql as $$
declare
    v_table text;
    v_floor bigint;
begin
    foreach queue in array p_queues loop
        v_table := tasker.queue_table(queue);
        v_floor := tasker.raise_floor(v_table);
        execute format('select count(*) from (
                            select from pgmq.%I where msg_id >= $1 limit $2) m', v_table)
        into messages using v_floor, p_limit;
        execute format('select extract(epoch from clock_timestamp() - q.enqueued_at) * 1000
                        from pgmq.%I q where q.msg_id >= $1 order by q.msg_id limit 1', v_table)
        into oldest_ms using v_floor;
        return next;
    end loop;
end $$;
