from tasker_mp import StepHandler


class Plain(StepHandler):
    def call(self, context):
        return None


class Named(StepHandler):
    handler_name = "named"
    handler_version = "2.1.0"


def test_a_handler_is_named_after_its_class_unless_it_says_otherwise():
    assert Plain().name == "Plain"
    assert Named().name == "named"


def test_versions():
    assert Plain().version == "1.0.0"
    assert Named().version == "2.1.0"


def test_what_a_handler_has_without_asking():
    handler = Plain()
    assert handler.config == {}
    assert handler.capabilities == ["process"]
    assert handler.config_schema() is None
    assert handler.logger.name == f"{__name__}.Plain"


def test_instances_do_not_share_their_settings():
    first, second = Plain(), Plain()
    first.config["a"] = 1
    assert second.config == {}
