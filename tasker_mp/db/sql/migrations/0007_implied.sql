-- Parents that come before another parent of the step; they are not among those in `parents`.
alter table tasker.template_steps add column implied integer[] not null default '{}';
