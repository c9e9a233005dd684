-- As list_tasks, only what needs somebody: tasks in error, with a quarantined step, or stale; with
-- `only_stale` those alone. Then the limits exceeded and the steps that failed, as JSON. Stale ones
-- are found by the indexes of watched_tasks, the others by reading all tasks, so for people.
with stale as materialized (
    select l.task_uuid, json_agg(json_build_object(
               'limit', l.name, 'minutes', l.minutes, 'since', l.since, 'action', l.action,
               'exceeded_by_seconds', extract(epoch from clock_timestamp() - l.exceeded_at))
               order by l.exceeded_at) as limits
    from tasker.stale_limits(array(
        select w.task_uuid from tasker.watched_tasks w where w.look_at <= now()
        union select w.task_uuid from tasker.watched_tasks w where w.stale_at is not null)) l
    group by 1),
letters as (
    select s.task_uuid from stale s
    union select t.task_uuid from tasker.tasks t
    where not %(only_stale)s::boolean
      and (t.state = 'error' or t.failed_steps > 0 and exists (
          select from tasker.steps s
          where s.task_uuid = t.task_uuid and s.state = 'error'
            and s.error ->> 'error_code' = 'QUARANTINED')))
select t.task_uuid, w.namespace, w.name, w.version, t.state::text, t.priority, t.created_at,
       t.started_at, t.completed_at, coalesce(t.correlation_id, t.task_uuid), t.initiator,
       t.reason, t.tags, coalesce(s.limits, '[]'),
       coalesce((select json_agg(json_build_object(
                     'step', f.name, 'message', f.error ->> 'message',
                     'error_code', f.error ->> 'error_code') order by f.step_no)
                 from tasker.steps f
                 where f.task_uuid = t.task_uuid and f.state = 'error'), '[]')
from letters l
join tasker.tasks t using (task_uuid)
join tasker.templates w using (template_id)
left join stale s using (task_uuid)
where (%(state)s::text is null or t.state::text = %(state)s)
  and (%(namespace)s::text is null or w.namespace = %(namespace)s)
order by t.task_uuid desc limit %(limit)s
