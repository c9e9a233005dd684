-- Asks for a notification when a task ends; its state now, or no row for an unknown task.
with asked as (
    update tasker.tasks set waited = true
    where task_uuid = %(task)s and state in ('pending', 'in_progress') and not waited
    returning state)
select state::text from asked
union all
select state::text from tasker.tasks where task_uuid = %(task)s and not exists (select from asked)
