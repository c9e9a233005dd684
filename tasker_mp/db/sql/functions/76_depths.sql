-- How many messages each of the queues holds, at most p_limit, and how old the oldest is in
-- milliseconds. Bounded, so that asking costs the same whatever the backlog: a count walks the
-- table (some 0.1 s for a million), and pgmq.metrics would walk all of it. What died below the floor
-- is not walked; it is raised again once a thousand messages may have. A queue that never had any is
-- not looked at, as are most of those for other priorities.
create function tasker.queue_depths(p_queues text[], p_limit integer)
returns table (queue text, messages bigint, oldest_ms double precision)
language plpgsql as $$
declare
    c_walk  constant integer := 1000;
    v_table text;
    v_last  bigint;
    v_floor bigint;
begin
    foreach queue in array p_queues loop
        messages := 0;
        oldest_ms := null;
        v_table := tasker.queue_table(queue);
        v_last := pg_sequence_last_value(
            pg_get_serial_sequence(format('pgmq.%I', v_table), 'msg_id')::regclass);
        if v_last is not null then
            v_floor := tasker.known_floor(v_table);
            if v_last not between v_floor - 1 and v_floor + c_walk then
                v_floor := tasker.raise_floor(v_table);
            end if;
            execute format(
                'select (select count(*) from (select from pgmq.%1$I where msg_id >= $1 limit $2) m),
                        (select extract(epoch from clock_timestamp() - q.enqueued_at) * 1000
                         from pgmq.%1$I q where q.msg_id >= $1 order by q.msg_id limit 1)', v_table)
            into messages, oldest_ms using v_floor, p_limit;
        end if;
        return next;
    end loop;
end $$;
