-- Copies a task with its steps `copies` times, numbered from `first` of `total`, each row as the
-- engine left it. Identities and events are new; times move back by a millisecond a copy, the last
-- one's the least, so that the UUIDs are in the order of creation, as those of tasks are.
with copies as materialized (
    select n, (%(total)s::integer - n) * interval '1 millisecond' as age,
           (lpad(to_hex((extract(epoch from t.created_at) * 1000)::bigint
                        - %(total)s::integer + n - 1), 12, '0')
            || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 10)
            || '00000')::uuid as task_uuid
    from tasker.tasks t,
         generate_series(%(first)s::integer, %(first)s::integer + %(copies)s::integer - 1) n
    where t.task_uuid = %(sample)s),
tasks as (
    insert into tasker.tasks (
        task_uuid, template_id, state, priority, open_sinks, failed_steps, waited, created_at,
        started_at, completed_at, correlation_id, initiator, reason, tags, context)
    select c.task_uuid, t.template_id, t.state, t.priority, t.open_sinks, t.failed_steps, t.waited,
           t.created_at - c.age, t.started_at - c.age, t.completed_at - c.age, t.correlation_id,
           t.initiator, t.reason, t.tags, t.context
    from copies c cross join tasker.tasks t
    where t.task_uuid = %(sample)s order by c.n),
steps as (
    insert into tasker.steps (
        task_uuid, step_no, template_id, waiting_on, attempts, crashes, state, event_id, owner,
        enqueued_at, claimed_at, finished_at, due_at, name, children, ancestors, result, metadata,
        error)
    select c.task_uuid, s.step_no, s.template_id, s.waiting_on, s.attempts, s.crashes, s.state,
           case when s.event_id is not null then gen_random_uuid() end, s.owner,
           s.enqueued_at - c.age, s.claimed_at - c.age, s.finished_at - c.age, s.due_at - c.age,
           s.name, s.children, s.ancestors, s.result, s.metadata, s.error
    from copies c cross join tasker.steps s
    where s.task_uuid = %(sample)s order by c.n, s.step_no)
select array_agg(c.task_uuid order by c.n) from copies c
