-- Supervisors that do not claim, and tasks that must not grow stale.

-- `running`, `paused` or `draining`, for whoever asks why nothing is claimed.
alter table tasker.supervisors add column state text not null default 'running';

-- Of the definition, by itself: it is read for each task that may be stale, the rest is not.
alter table tasker.templates
    add column lifecycle json generated always as (definition -> 'lifecycle') stored,
    -- Minutes before which no task of it can be stale; null: it has no limit.
    add column least_limit double precision generated always as (least(
        (definition #>> '{lifecycle,max_duration_minutes}')::double precision,
        (definition #>> '{lifecycle,max_waiting_for_dependencies_minutes}')::double precision,
        (definition #>> '{lifecycle,max_waiting_for_retry_minutes}')::double precision,
        (definition #>> '{lifecycle,max_steps_in_process_minutes}')::double precision)) stored;

-- Tasks whose template sets a limit, to be looked at when one may be exceeded: an index on
-- tasker.tasks that only holds unfinished ones would cost every task its HOT updates. Whoever looks
-- at a task that has ended removes its row.
create table tasker.watched_tasks (
    task_uuid uuid        primary key,
    -- Limits count from here: the submit, or the latest repair by hand.
    since     timestamptz not null,
    look_at   timestamptz not null,
    -- Found stale, and left to people since then.
    stale_at  timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index watched_tasks_look on tasker.watched_tasks (look_at);
create index watched_tasks_stale on tasker.watched_tasks (stale_at) where stale_at is not null;

-- Tasks submitted before this. Those that have ended go at their first look.
insert into tasker.watched_tasks (task_uuid, since, look_at)
select t.task_uuid, t.created_at, t.created_at + make_interval(secs => w.least_limit * 60)
from tasker.tasks t join tasker.templates w using (template_id)
where w.least_limit is not null and t.state in ('pending', 'in_progress');
