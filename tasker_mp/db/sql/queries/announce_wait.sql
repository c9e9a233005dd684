-- Asks for a notification when a task ends; its state now, or no row for an unknown task.
-- The row is locked first: a finish under way is waited for, and what it made of the task is seen.
-- The primary key stands in both places, so that neither is joined by reading the table. Nothing is
-- lost with this commit that the waiter would not ask for again.
with task as (
    select state, waited from tasker.tasks
    where task_uuid = %(task)s for no key update),
asked as (
    update tasker.tasks t set waited = true
    where t.task_uuid = %(task)s and set_config('synchronous_commit', 'off', true) = 'off' and exists (
        select from task where task.state in ('pending', 'in_progress') and not task.waited))
select state::text from task
