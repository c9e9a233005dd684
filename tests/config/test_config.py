"""Where configuration comes from, which source wins, and what a wrong value gets."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from tasker_mp.config import Config, load_config
from tasker_mp.config.model import SECTIONS
from tasker_mp.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "config" / "environments").mkdir(parents=True)
    return tmp_path


def write(project, text, environment=None):
    name = f"environments/{environment}.toml" if environment else "tasker.toml"
    file = project / "config" / name
    file.write_text(text)
    return file


def load(project, environ=None, **more):
    return load_config(cwd=project, environ=environ or {}, **more)


def refused(project, environ=None, **more):
    with pytest.raises(ConfigError) as caught:
        load(project, environ, **more)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- Sources --------------------------------------------------------------------------------------


def test_without_a_config_folder_every_key_has_its_default(tmp_path):
    config = load(tmp_path)
    assert (config.environment, config.root, config.sources) == ("development", tmp_path, ())
    assert config == Config("development", tmp_path)
    assert (config.database.url, config.database.pool_size) == ("embedded", 5)
    assert (config.worker.mode, config.worker.max_in_flight) == ("hybrid", 2000)
    assert (config.ring.capacity_bytes, config.steps.crash_limit) == (4194304, 3)
    assert config.templates_path == tmp_path / "config" / "tasks"


def test_the_file_of_this_repository_writes_out_every_key_with_its_default():
    written = tomllib.loads((REPOSITORY / "config" / "tasker.toml").read_text())
    defaults = {name: msgspec.to_builtins(struct()) for name, struct in SECTIONS.items()}
    assert msgspec.json.encode(written, order="sorted") == msgspec.json.encode(
        defaults, order="sorted"
    )


@pytest.mark.parametrize("environment", ["development", "test", "production"])
def test_the_environments_of_this_repository_load(environment):
    config = load(REPOSITORY, environment=environment)
    assert [file.name for file in config.sources] == ["tasker.toml", f"{environment}.toml"]


def test_later_sources_win_key_by_key(project):
    write(project, "[worker]\ncount = 1\nlanes = 1\nmax_in_flight = 1\npoll_interval = 1\n")
    write(project, "[worker]\nlanes = 2\nmax_in_flight = 2\npoll_interval = 2\n", "test")
    environ = {
        "TASKER_ENV": "test",
        "TASKER_MP_WORKER__MAX_IN_FLIGHT": "3",
        "TASKER_MP_WORKER__POLL_INTERVAL": "3",
    }
    worker = load(project, environ, overrides={"worker.poll_interval": 4.0}).worker
    assert (worker.count, worker.lanes) == (1, 2)
    assert (worker.max_in_flight, worker.poll_interval) == (3, 4.0)


def test_the_environment_may_be_given_or_named_by_a_variable(project):
    assert load(project, {"TASKER_ENV": "test"}).environment == "test"
    assert load(project, {"TASKER_ENV": "test"}, environment="production").environment == (
        "production"
    )
    assert load(project, {"TASKER_ENV": ""}).environment == "development"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("worker.count", "3", 3),
        ("worker.poll_interval", "2", 2.0),
        ("web.enabled", "true", True),
        ("web.enabled", "0", False),
        ("worker.namespaces", "a, b,,c", ("a", "b", "c")),
        ("worker.namespaces", "", ()),
        ("worker.worker_id", "12", "12"),
        ("ring.transport", "pipe", "pipe"),
    ],
)
def test_an_environment_variable_has_the_type_of_its_key(project, key, text, value):
    section, name = key.split(".")
    config = load(project, {f"TASKER_MP_{key.replace('.', '__').upper()}": text})
    assert getattr(getattr(config, section), name) == value


def test_other_variables_of_the_prefix_are_left_alone(project):
    assert load(project, {"TASKER_MP_HOME": "/x"}).sources == ()


def test_flags_that_were_not_given_change_nothing(project):
    overrides = {"worker.count": None, "worker.namespaces": ["a"], "web.port": 99}
    config = load(project, overrides=overrides)
    assert (config.worker.count, config.worker.namespaces, config.web.port) == (0, ("a",), 99)


# -- Where the project is -------------------------------------------------------------------------


def test_a_path_names_a_folder_or_a_file(project, tmp_path):
    file = write(project, "[worker]\ncount = 7\n")
    other = tmp_path / "elsewhere"
    other.mkdir()
    for path in (file, file.parent, Path("..") / "config"):
        config = load(other, path=path)
        assert (config.worker.count, config.root) == (7, project)


def test_the_folder_may_be_named_by_a_variable_and_a_path_wins(project, tmp_path):
    write(project, "[worker]\ncount = 7\n")
    alone = tmp_path / "my.toml"
    alone.write_text("[worker]\ncount = 8\n")
    environ = {"TASKER_CONFIG_PATH": str(project / "config")}
    assert load(tmp_path, environ).worker.count == 7
    config = load(tmp_path, environ, path=alone)
    assert (config.worker.count, config.root) == (8, tmp_path)


def test_relative_paths_are_relative_to_the_project(project):
    write(project, '[templates]\npath = "flows"\n')
    assert load(project / "config", path=project / "config").templates_path == project / "flows"
    assert load(project, overrides={"templates.path": "/abs"}).templates_path == Path("/abs")


@pytest.mark.parametrize(
    ("environ", "path", "origin"),
    [({}, Path("nowhere"), "--config"), ({"TASKER_CONFIG_PATH": "nowhere"}, None, "TASKER_CONFIG")],
)
def test_a_named_path_must_exist(project, environ, path, origin):
    message = refused(project, environ, path=path)
    assert message.startswith(origin)
    assert str(project / "nowhere") in message


@pytest.mark.parametrize("name", ["../production", "a/b", "a b", "-x", "test\n"])
def test_an_environment_is_a_name(project, name):
    assert "is not a name" in refused(project, environment=name)


# -- ${VAR} ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "environ", "url"),
    [
        ("${DSN}", {"DSN": "host=a"}, "host=a"),
        ("${DSN:-host=b}", {}, "host=b"),
        ("${DSN:-host=b}", {"DSN": ""}, "host=b"),
        ("${DSN:-host=b}", {"DSN": "host=a"}, "host=a"),
        ("host=${H} port=${P:-5432}", {"H": "x"}, "host=x port=5432"),
        ("host=$H ${}", {"H": "x"}, "host=$H ${}"),
    ],
)
def test_variables_are_substituted(project, written, environ, url):
    write(project, f'[database]\nurl = "{written}"\n')
    assert load(project, environ).database.url == url


def test_a_substituted_value_has_the_type_of_its_key(project):
    write(project, '[worker]\ncount = "${N:-4}"\nnamespaces = ["${NS}", "b"]\n[web]\nport="${P}"\n')
    config = load(project, {"NS": "a", "P": "80"})
    assert (config.worker.count, config.worker.namespaces, config.web.port) == (4, ("a", "b"), 80)


def test_a_variable_that_is_not_set_is_an_error(project):
    file = write(project, '[database]\nurl = "${NO_SUCH}"\n')
    message = refused(project)
    assert message.startswith(f"{file}: database.url refers to ${{NO_SUCH}}, which is not set")
    assert "${NO_SUCH:-default}" in message


# -- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[web]\nprot = 80", ["unknown key 'web.prot' (value 80)", "did you mean 'port'?"]),
        ("[wbe]\nport = 80", ["unknown section 'wbe'", "did you mean 'web'?"]),
        ("web = 80", ["'web' is a section", "write [web]"]),
        ("[web]\nport = 0", ["web.port is 0", "from 1 to 65535"]),
        ("[web]\nport = 65536", ["web.port is 65536", "from 1 to 65535"]),
        ('[web]\nport = "80"', ['web.port is "80"', "a whole number"]),
        ("[web]\nport = true", ["web.port is true", "a whole number"]),
        ("[web]\nport = 80.0", ["web.port is 80.0", "a whole number"]),
        ("[web]\nport = 2024-01-31", ['web.port is "2024-01-31"', "a whole number"]),
        ('[web]\nenabled = "yes"', ['web.enabled is "yes"', "true or false"]),
        ('[web]\nhost = ""', ['web.host is ""', "text that is not empty"]),
        ("[web]\nhost = {}", ["web.host is {}", "text that is not empty"]),
        ("[worker]\ncount = -1", ["worker.count is -1", "from 0 to"]),
        ("[worker]\nlanes = 0", ["worker.lanes is 0", "from 1 to 64"]),
        ("[worker]\npoll_interval = 0", ["worker.poll_interval is 0", "seconds above 0"]),
        ("[worker]\npoll_interval = inf", ["worker.poll_interval is", "seconds above 0"]),
        ("[worker]\npoll_interval = nan", ["worker.poll_interval is", "seconds above 0"]),
        ('[worker]\nmode = "poll"', ['is "poll"', "one of hybrid, event_driven, polling"]),
        ('[worker]\nnamespaces = "a"', ['is "a"', "a list"]),
        ('[worker]\nnamespaces = ["a-b"]', ['is ["a-b"]', "letters, digits and _"]),
        ('[worker]\nhandler_packages = ["a/b"]', ['is ["a/b"]', "letters, digits and _"]),
        ("[ring]\ncapacity_bytes = 65532", ["is 65532", "a multiple of 4096, from 65536"]),
        ("[ring]\ncapacity_bytes = 69633", ["is 69633", "a multiple of 4096, from 65536"]),
        ('[ring]\ntransport = "shm"', ['is "shm"', "one of ring, pipe, zmq"]),
        ('[logging]\nlevel = "loud"', ['is "loud"', "one of debug, info"]),
        ('[logging]\nformat = "xml"', ['is "xml"', "one of console, json"]),
        ('[database]\nurl = "localhost"', ["database.url is", '"embedded", postgresql://']),
        ("[web\nport = 1", ["malformed TOML", "line 1"]),
        ("[web]\nport = 1\nport = 2", ["malformed TOML", "line 3"]),
    ],
)
def test_a_wrong_file_names_file_key_value_and_cure(project, text, parts):
    file = write(project, text)
    message = refused(project)
    assert message.startswith(f"{file}: ")
    for part in parts:
        assert part in message


def test_a_capacity_at_its_bounds_is_allowed(project):
    write(project, "[ring]\ncapacity_bytes = 65536\n")
    assert load(project).ring.capacity_bytes == 65536


def test_a_file_that_is_not_utf8(project):
    file = project / "config" / "tasker.toml"
    file.write_bytes(b"# \xff")
    assert refused(project) == f"{file}: not UTF-8 at byte 2; save it as UTF-8"


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("TASKER_MP_WEB__PORT", "many", ['web.port is "many"', "from 1 to 65535"]),
        ("TASKER_MP_WEB__PROT", "1", ["unknown key 'web.prot'", "'port'"]),
        ("TASKER_MP_WBE__PORT", "1", ["unknown section 'wbe'", "'web'"]),
        ("TASKER_MP_STEPS__LEASE", "nan", ["steps.lease", "seconds above 0"]),
    ],
)
def test_a_wrong_variable_is_named(project, name, text, parts):
    message = refused(project, {name: text})
    assert message.startswith(f"environment variable {name}: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize("key", ["web.prot", "wbe.port", "port", "worker.count"])
def test_a_wrong_flag_is_refused(project, key):
    assert refused(project, overrides={key: "x"}).startswith("command line: ")


@pytest.mark.parametrize(
    "text",
    [
        'url = "secret@localhost"',
        'urll = "postgresql://u:secret@h/d"',
        'password = "secret"',
        'url = ["postgresql://u:secret@h/d"]',
        'pool_size = "host=h password=secret"',
        'statement_timeout = "postgresql://u:secret@h/d"',
        'dsn = {password = "secret"}',
    ],
)
def test_no_error_shows_a_password(project, text):
    write(project, f"[database]\n{text}\n")
    assert "secret" not in refused(project)
