-- A registered template's definition (primary key).
select definition from tasker.templates where template_id = %(template_id)s
