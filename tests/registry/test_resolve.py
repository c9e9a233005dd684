import pytest
from stepping import run, value_of

from tasker_mp import HandlerRegistry, StepHandler
from tasker_mp.errors import HandlerLoadError
from tasker_mp.template.model import HandlerDefinition

SQUARE = """
from tasker_mp import StepHandler

class Square(StepHandler):
    handler_name = "square"

    def __init__(self):
        self.seen = dict(self.config)

    def call(self, context):
        return 2 * 2

    def cube(self, context):
        return 8
"""


@pytest.fixture
def package(written):
    return written({"shapes.py": SQUARE})


@pytest.fixture
def registry(package):
    return HandlerRegistry([package])


def test_a_dotted_path_resolves(registry, package):
    handler = registry.resolve(f"{package}.shapes.Square")
    assert value_of(run(handler)) == {"result": 4}


def test_a_handler_name_resolves_without_being_asked_to_discover(registry):
    assert type(registry.resolve("square")).__name__ == "Square"


def test_name_and_path_mean_the_same_instance(registry, package):
    assert registry.resolve("square") is registry.resolve(f"{package}.shapes.Square")


def test_one_instance_for_each_initialization(registry, package):
    path = f"{package}.shapes.Square"
    plain = registry.resolve(path)
    assert registry.resolve(HandlerDefinition(path)) is plain
    first = registry.resolve(HandlerDefinition(path, initialization={"a": 1, "b": 2}))
    same = registry.resolve(HandlerDefinition(path, initialization={"b": 2, "a": 1}))
    other = registry.resolve(HandlerDefinition(path, initialization={"a": 2, "b": 2}))
    assert first is same
    assert len({id(plain), id(first), id(other)}) == 3


def test_config_is_the_initialization_and_known_to_init(registry):
    given = {"deep": {"n": 1}}
    handler = registry.resolve(HandlerDefinition("square", initialization=given))
    assert handler.config == handler.seen == {"deep": {"n": 1}}
    handler.config["deep"]["n"] = 2
    assert given == {"deep": {"n": 1}}


def test_another_method_may_be_named(registry):
    handler = registry.resolve(HandlerDefinition("square", method="cube"))
    assert value_of(run(handler, method="cube")) == {"result": 8}
    assert handler is registry.resolve("square")


@pytest.mark.parametrize("method", ["cubed", "__init__", "__class__", "_x", "success", "name"])
def test_a_method_must_be_the_authors_own_and_public(registry, method):
    with pytest.raises(HandlerLoadError, match=f"square has no method {method}"):
        registry.resolve(HandlerDefinition("square", method=method))


def test_a_mistyped_method_is_told_the_nearest(registry):
    with pytest.raises(HandlerLoadError, match="did you mean 'cube'"):
        registry.resolve(HandlerDefinition("square", method="cubed"))


def test_a_handler_must_define_call(written):
    package = written(
        {"a.py": "from tasker_mp import StepHandler\nclass A(StepHandler):\n    pass\n"}
    )
    with pytest.raises(HandlerLoadError, match=r"has no method call of its own; define call\("):
        HandlerRegistry([package]).resolve(f"{package}.a.A")


def test_an_unknown_class_or_module_is_told_the_nearest(registry, package):
    with pytest.raises(HandlerLoadError, match=r"has no Squar; did you mean 'Square'"):
        registry.resolve(f"{package}.shapes.Squar")
    with pytest.raises(HandlerLoadError, match=rf"there is no module {package}\.shape$"):
        registry.resolve(f"{package}.shape.Square")


def test_an_unknown_name_is_told_the_nearest(registry, package):
    with pytest.raises(HandlerLoadError, match="'squar'; did you mean 'square'"):
        registry.resolve("squar")
    with pytest.raises(HandlerLoadError, match=rf"did you mean '{package}\.shapes\.Square'"):
        registry.resolve("Square")


def test_errors_are_one_line(registry, package, written):
    broken = written({"b.py": "raise ValueError('first\\nsecond')"})
    both = HandlerRegistry([package, broken])
    for name in ("os.system", "nobody", f"{package}.shapes.No", f"{broken}.b.B"):
        with pytest.raises(HandlerLoadError) as caught:
            both.resolve(name)
        assert "\n" not in str(caught.value)


def test_a_broken_import_names_the_module_and_the_cause(written):
    package = written({"bad.py": "import no_such_library\n", "worse.py": "def ("})
    registry = HandlerRegistry([package])
    with pytest.raises(
        HandlerLoadError,
        match=rf"module {package}\.bad cannot be imported: ModuleNotFoundError: .*no_such_library",
    ):
        registry.resolve(f"{package}.bad.A")
    with pytest.raises(HandlerLoadError, match=r"worse cannot be imported: SyntaxError"):
        registry.resolve(f"{package}.worse.A")


def test_a_module_that_exits_at_import_does_not_take_the_worker_with_it(written):
    package = written({"quits.py": "import sys\nsys.exit(3)\n"})
    with pytest.raises(HandlerLoadError, match="cannot be imported: SystemExit: 3"):
        HandlerRegistry([package]).resolve(f"{package}.quits.A")


def test_a_broken_module_is_imported_once_only(written, tmp_path):
    trace = tmp_path / "trace"
    package = written(
        {"bad.py": f"with open({str(trace)!r}, 'a') as f: f.write('x')\nraise ValueError\n"}
    )
    registry = HandlerRegistry([package])
    for _ in range(3):
        with pytest.raises(HandlerLoadError):
            registry.resolve(f"{package}.bad.A")
    assert trace.read_text() == "x"


def test_a_handler_that_cannot_be_created_says_why(written):
    text = """
from tasker_mp import StepHandler
class A(StepHandler):
    def __init__(self):
        raise ValueError("no key")
    def call(self, context): ...
class B(StepHandler):
    def __init__(self, needed): ...
    def call(self, context): ...
"""
    package = written({"a.py": text})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError, match=r"a\.A cannot be created: ValueError: no key"):
        registry.resolve(f"{package}.a.A")
    with pytest.raises(HandlerLoadError, match=r"a\.B cannot be created: TypeError.*needed"):
        registry.resolve(f"{package}.a.B")


def test_availability(registry, package):
    assert registry.handler_available("square")
    assert registry.handler_available(f"{package}.shapes.Square")
    assert not registry.handler_available("os.system")
    assert not registry.handler_available("circle")


class Own(StepHandler):
    def call(self, context):
        return "own"


class Newer(StepHandler):
    def call(self, context):
        return "newer"


def test_register_names_a_class_and_may_replace_it():
    registry = HandlerRegistry([])
    with pytest.raises(HandlerLoadError):
        registry.resolve("mine")
    registry.register("mine", Own)
    assert registry.registered_handlers() == ["mine"]
    assert value_of(run(registry.resolve("mine"))) == {"result": "own"}
    registry.register("mine", Newer)
    assert value_of(run(registry.resolve("mine"))) == {"result": "newer"}


@pytest.mark.parametrize("value", [int, print, Own(), StepHandler, None])
def test_only_handlers_can_be_registered(value):
    with pytest.raises(HandlerLoadError, match="not a subclass of StepHandler"):
        HandlerRegistry([]).register("mine", value)
