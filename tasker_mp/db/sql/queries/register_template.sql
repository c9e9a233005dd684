-- Registers a template's definition and plan; its id.
select tasker.register_template(
    %(namespace)s, %(name)s, %(version)s, %(digest)s, %(definition)s::json, %(steps)s::json)
