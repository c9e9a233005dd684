"""The step that is measured: `site.py` copies this module into the project as a handler's."""

from tasker_mp import StepContext, StepHandler


class Sized(StepHandler):
    """Returns as much as the task's context holds."""

    def call(self, context: StepContext) -> str:
        return str(context.get_input_or("filler", ""))
