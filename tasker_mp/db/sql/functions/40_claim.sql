-- A step as the supervisor needs it: who it is, under which event, and what the handler gets.
create type tasker.claimed_step as (
    task_uuid uuid, step_no integer, event_id uuid, template_id integer, name text,
    attempt integer, crashes integer, claim_id bigint, correlation_id uuid, context json, dependencies json,
    traceparent text, extra json);

-- Claimed steps with their task's context and their ancestors' results (primary keys only).
-- The dependencies are joined as text: nothing is parsed, and integers stay exact. `extra` is null, or
-- {template_step, inputs, checkpoint}: what only a batch's step has, or one that goes on.
create function tasker.hydrate(p_tasks uuid[], p_nos integer[], p_claim bigint)
returns setof tasker.claimed_step
language sql stable as $$
    select s.task_uuid, s.step_no, s.event_id, s.template_id, s.name, s.attempts, s.crashes, p_claim,
           t.correlation_id, t.context,
           case when s.ancestors = '{}' then '{}'::json else (
               select ('{' || coalesce(string_agg(to_json(a.name)::text || ':' || a.result::text,
                                                  ','), '') || '}')::json
               from tasker.steps a
               where a.task_uuid = s.task_uuid and a.step_no = any (s.ancestors)
                 and a.state in ('complete', 'resolved_manually') and a.result is not null) end,
           t.traceparent,
           case when s.inputs is not null or s.checkpoint is not null
                then json_build_object('template_step', s.template_step, 'inputs', s.inputs,
                                       'checkpoint', s.checkpoint) end
    from unnest(p_tasks, p_nos) i(task_uuid, step_no)
    join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
    join tasker.tasks t on t.task_uuid = i.task_uuid
    where i.step_no between 1 and 1048575
$$;

-- The number below which every message of a queue's table is gone for good, as far as this session
-- knows, so that a claim begins to look there; raised first, as far as it can be.
--
-- Claims delete from the head, and while anybody holds an old snapshot no vacuum removes what they
-- deleted: a look from the beginning walks past all of it (0.3 µs a message; a million after ten
-- minutes). But the lowest message that is there now is not the lowest that will be: transactions
-- commit in another order than they number their messages in, and a claim may be rolled back. So:
--   numbered   the last number given out at a moment that is past
--   writers    the transactions that wrote to the table (hold its RowExclusiveLock) after that
-- Who was given a number up to `numbered` had the lock before that, and keeps it until its end is
-- there for all to see. Once none of the writers is left, everything up to `numbered` has been
-- committed or rolled back, and what a snapshot taken now does not see of it never comes. A row that
-- another claim has deleted and not committed yet is still seen, and so is one with a vt to come.
--
-- `floor numbered writer …` is a setting of the session, which a rollback takes back with the rest. It
-- has the table's OID in its name; a table whose numbers began anew is looked at from the beginning.
create function tasker.raise_floor(p_table text) returns bigint
language plpgsql as $$
declare
    c_table    constant regclass := format('pgmq.%I', p_table)::regclass;
    c_setting  constant text := 'tasker.floor_' || c_table::oid;
    v_known    text[] := string_to_array(current_setting(c_setting, true), ' ');
    v_floor    bigint;
    v_last     bigint;
    v_writers  text[];
    v_settled  bigint;
    v_first    bigint;
begin
    v_last := coalesce(pg_sequence_last_value(
        pg_get_serial_sequence(c_table::text, 'msg_id')::regclass), 0);
    if v_last < v_known[2]::bigint then
        v_known := null;
    end if;
    v_floor := coalesce(v_known[1], '0')::bigint;
    -- After the number: a statement of its own, and not the other way round.
    v_writers := array(
        select l.virtualtransaction from pg_locks l
        where l.relation = c_table and l.mode = 'RowExclusiveLock'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.pid is distinct from pg_backend_pid());
    if current_setting('transaction_isolation') <> 'read committed' then
        v_settled := null;  -- no later snapshot is taken here
    elsif v_writers = '{}' then
        v_settled := v_last;
    elsif not v_writers && v_known[3:] then
        v_settled := v_known[2]::bigint;
    end if;
    -- After the writers: its snapshot sees all that they have committed.
    if v_settled >= v_floor then
        execute format('select min(m.msg_id) from pgmq.%I m where m.msg_id between $1 and $2', p_table)
        into v_first using v_floor, v_settled;
        v_floor := coalesce(v_first, v_settled + 1);
    end if;
    if v_settled is not null or v_known[2] is null then
        v_known := array[null, v_last::text] || v_writers;
    end if;
    v_known[1] := v_floor::text;
    perform set_config(c_setting, array_to_string(v_known, ' '), false);
    return v_floor;
end $$;

-- As tasker.raise_floor left it; 0 where it was not called yet.
create function tasker.known_floor(p_table text) returns bigint
language sql as $$
    select coalesce(nullif(split_part(
        current_setting('tasker.floor_' || format('pgmq.%I', p_table)::regclass::oid, true), ' ', 1),
        ''), '0')::bigint
$$;

-- Claims up to p_capacity ready steps from the queues, in the order given, and hydrates them. The
-- rows come in that order, first in, first out in each queue. Fewer than p_capacity: there are no
-- more. p_bare: without context and dependencies, for a step that cannot be hydrated at all.
--
-- The message is deleted in the claim's own transaction: from then on the step's row says who has
-- it, so that there is one record of a lease and not two (docs/adr/0001); from the queue's table
-- itself, planned at each call and so for its size of the moment (docs/adr/0003). Lock order:
-- messages (never waited for), steps, tasks. A message whose step is not enqueued any more
-- (cancelled, resolved) is dropped.
--
-- Planner trap, here and in every function that joins arrays with a table: plans are kept, and those
-- made while the tables were small would go on scanning them whole until the next ANALYZE (500
-- steps claimed from a backlog of 100,000 tasks: 4.4 s). So each of these functions allows itself
-- nested loops over an index only, which also keep the arrays' order; and a range that every step
-- number is in makes the planner expect one row of the arrays, and so begin with them.
create function tasker.claim_steps(
    p_owner uuid, p_queues text[], p_capacity integer, p_bare boolean default false)
returns setof tasker.claimed_step
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    c_walk   constant integer := 1000;  -- messages that a look may have to pass
    v_queue  text;
    v_table  text;
    v_floor  bigint;
    v_room   integer;
    v_popped record;
    v_tasks  uuid[] := '{}';
    v_nos    integer[] := '{}';
    v_claim  bigint;
begin
    foreach v_queue in array p_queues loop
        v_table := tasker.queue_table(v_queue);
        v_floor := tasker.known_floor(v_table);
        -- Again only where messages were dropped; not for ever, or a time limit would undo it all:
        -- whoever claims is told then to come again.
        for v_round in 1 .. 25 loop
            v_room := p_capacity - cardinality(v_tasks);
            exit when v_room <= 0;
            execute format(
                'with popped as (
                    delete from pgmq.%1$I m where m.msg_id = any (array(
                        select f.msg_id from pgmq.%1$I f
                        where f.msg_id >= $2 and f.vt <= clock_timestamp()
                        order by f.msg_id limit $1 for update skip locked))
                    returning m.msg_id, m.message)
                select array_agg((p.message ->> ''task'')::uuid order by p.msg_id) as tasks,
                       array_agg((p.message ->> ''step'')::integer order by p.msg_id) as nos,
                       count(*) as messages, min(p.msg_id) as first
                from popped p', v_table) into v_popped using v_room, v_floor;
            if v_popped.messages = 0 or v_popped.first - v_floor > c_walk then
                v_floor := tasker.raise_floor(v_table);
            end if;
            exit when v_popped.messages = 0;

            -- A statement of its own: its snapshot sees every step whose message was popped.
            with claimed as (
                update tasker.steps s
                set state = 'in_progress', attempts = s.attempts + 1, event_id = gen_random_uuid(),
                    owner = p_owner, claimed_at = clock_timestamp(), finished_at = null
                from unnest(v_popped.tasks, v_popped.nos) i(task_uuid, step_no)
                where s.task_uuid = i.task_uuid and s.step_no = i.step_no and s.state = 'enqueued'
                  and i.step_no between 1 and 1048575
                returning s.task_uuid, s.step_no)
            select v_tasks || array_agg(c.task_uuid), v_nos || array_agg(c.step_no)
            into v_tasks, v_nos from claimed c;
            exit when v_popped.messages < v_room;
            if v_round = 25 then
                perform pg_notify('tasker_ready', v_queue);
            end if;
        end loop;
    end loop;
    if v_tasks = '{}' then
        return;
    end if;

    update tasker.tasks t  -- in the order of the index
    set state = 'in_progress', started_at = clock_timestamp()
    where t.task_uuid = any (v_tasks) and t.state = 'pending';

    insert into tasker.claims (owner, task_uuids, step_nos)
    values (p_owner, v_tasks, v_nos) returning claim_id into v_claim;
    if p_bare then
        return query
            select s.task_uuid, s.step_no, s.event_id, s.template_id, s.name, s.attempts, s.crashes,
                   v_claim, null::uuid, 'null'::json, '{}'::json, null::text, null::json
            from unnest(v_tasks, v_nos) i(task_uuid, step_no)
            join tasker.steps s on s.task_uuid = i.task_uuid and s.step_no = i.step_no
            where i.step_no between 1 and 1048575;
    else
        return query select * from tasker.hydrate(v_tasks, v_nos, v_claim);
    end if;
end $$;
