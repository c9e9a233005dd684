-- How many tasks are in each state; reads the whole table, so for people and not for loops.
select t.state::text, count(*)
from tasker.tasks t join tasker.templates w using (template_id)
where %(namespace)s::text is null or w.namespace = %(namespace)s
group by t.state order by t.state
