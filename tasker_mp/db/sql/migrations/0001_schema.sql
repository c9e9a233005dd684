-- Templates, tasks, steps and their audit.
--
-- Written for HOT updates: a step is updated two or three times in its life, and no column that
-- changes on the ordinary path (state, event_id, owner, times, result) is in an index or in an
-- index's predicate. One index a table, the primary key, is all that the ordinary path pays.

create type tasker.step_state as enum (
    'pending', 'enqueued', 'in_progress', 'waiting_for_retry',
    'complete', 'error', 'cancelled', 'resolved_manually');

create type tasker.task_state as enum (
    'pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually');

-- A definition never changes once registered: another text is another row, and a task keeps the
-- row that it was submitted with.
create table tasker.templates (
    template_id   integer generated always as identity primary key,
    namespace     text        not null,
    name          text        not null,
    version       text        not null,
    digest        bytea       not null,
    definition    json        not null,
    -- Steps without children: the task is complete when all of them are.
    sinks         integer     not null,
    registered_at timestamptz not null default clock_timestamp(),
    unique (namespace, name, version, digest)
);

-- The steps that a submitted task starts with; numbers are topological, parents below children.
create table tasker.template_steps (
    template_id integer   not null references tasker.templates on delete cascade,
    step_no     integer   not null,
    name        text      not null,
    parents     integer   not null,
    children    integer[] not null,
    ancestors   integer[] not null,
    primary key (template_id, step_no)
);

create table tasker.tasks (
    task_uuid      uuid              primary key,
    template_id    integer           not null,
    state          tasker.task_state not null default 'pending',
    priority       smallint          not null default 0,
    open_sinks     integer           not null,
    failed_steps   integer           not null default 0,
    -- Somebody waits for the end and wants a notification.
    waited         boolean           not null default false,
    created_at     timestamptz       not null,
    started_at     timestamptz,
    completed_at   timestamptz,
    correlation_id uuid,
    initiator      text,
    reason         text,
    tags           text[],
    context        json              not null
) with (fillfactor = 70);

-- The edges stand on the rows: `children` to unlock, `ancestors` whose results the handler gets.
-- Steps may be added at run time, so they are the task's own and not the template's.
create table tasker.steps (
    task_uuid   uuid              not null,
    step_no     integer           not null,
    template_id integer           not null,
    -- Parents that are not complete yet; counted down as they finish.
    waiting_on  integer           not null,
    attempts    integer           not null default 0,
    -- Attempts that took their worker down.
    crashes     integer           not null default 0,
    state       tasker.step_state not null,
    -- The fence: a result is accepted only under the event of the latest claim.
    event_id    uuid,
    owner       uuid,
    enqueued_at timestamptz,
    claimed_at  timestamptz,
    finished_at timestamptz,
    due_at      timestamptz,
    name        text              not null,
    children    integer[]         not null,
    ancestors   integer[]         not null,
    result      json,
    metadata    json,
    error       json,
    primary key (task_uuid, step_no)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Only a retry or a delay sets due_at, so this index costs the ordinary path nothing.
create index steps_due on tasker.steps (due_at) where due_at is not null;

-- What the rows do not tell any more: attempts that were superseded, and what people did.
-- The view tasker.step_transitions adds the latest attempt, which is still on the row.
create table tasker.transitions (
    task_uuid  uuid        not null,
    step_no    integer     not null,   -- 0: the task itself
    at         timestamptz not null,
    from_state text,
    to_state   text        not null,
    attempt    integer,
    event_id   uuid,
    actor      text,
    reason     text,
    error      json
);
create index transitions_task on tasker.transitions (task_uuid, step_no);

create table tasker.idempotency_keys (
    namespace text  not null,
    name      text  not null,
    key       text  not null,
    task_uuid uuid  not null,
    digest    bytea not null,
    primary key (namespace, name, key)
);

-- One row for each running supervisor; the owner of a step is an incarnation, never a host.
create table tasker.supervisors (
    supervisor_uuid uuid        primary key,
    worker_id       text        not null,
    host            text        not null,
    pid             integer     not null,
    namespaces      text[]      not null,
    started_at      timestamptz not null default clock_timestamp(),
    heartbeat_at    timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- What a supervisor holds, one row for each batch: what to recover when it dies. Cheaper than an
-- index on steps.owner, which would keep every claim and finish from being a HOT update.
create table tasker.claims (
    claim_id   bigint generated always as identity primary key,
    owner      uuid      not null,
    task_uuids uuid[]    not null,
    step_nos   integer[] not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
