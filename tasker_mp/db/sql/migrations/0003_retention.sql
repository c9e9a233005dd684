-- What goes with a task that is deleted for its age; the other tables lead with its UUID already.
create index idempotency_keys_task on tasker.idempotency_keys (task_uuid);
