-- The latest registered text of every template version.
select distinct on (namespace, name, version)
       template_id, namespace, name, version, definition, registered_at
from tasker.templates
order by namespace, name, version, registered_at desc
