-- The W3C traceparent that a task was submitted with: what its steps are a part of, elsewhere. Null
-- without one; no default, so that no row is rewritten.
alter table tasker.tasks add column traceparent text;
