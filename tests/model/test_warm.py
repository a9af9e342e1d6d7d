"""An embedded model is warm while somebody listens on its socket."""

import socket

from kimicode.model.rundir import run_paths
from kimicode.model.target import resolve
from kimicode.model.warm import is_warm


def test_an_embedded_model_is_warm_while_its_daemon_listens(tmp_path):
    environ = {"KIMICODE_HOME": str(tmp_path)}
    target = resolve(None, "kimi-nano", environ)
    assert not is_warm(target, environ)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(run_paths(target.model_file, environ).socket))
        assert not is_warm(target, environ)
        daemon.listen()
        assert is_warm(target, environ)
    assert not is_warm(target, environ)


def test_endpoints_are_always_warm(tmp_path):
    environ = {"KIMICODE_HOME": str(tmp_path)}
    assert is_warm(resolve("http://127.0.0.1:9/v1", "kimi-k2.6", environ), environ)
    assert list(tmp_path.iterdir()) == []
