"""The broker against those who would be root: known ways around filters of the engine's socket, and plain mistakes."""

from __future__ import annotations

import copy
import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Broker

KEY = "w-00000000000000aa"
Sent = tuple[int, str]


def send(broker: Broker, raw: bytes) -> bytes:
    """Bytes as they are; what came back until the broker closed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(broker.socket))
        connection.sendall(raw)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
        return answer


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def ask(broker: Broker, method: str, target: str, body: object = None) -> Sent:
    """Status and text of one request; `body` is JSON, or the text itself. The target is sent as it is."""
    text = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    connection = _Unix(str(broker.socket))
    connection._validate_path = lambda url: None  # type: ignore[attr-defined]
    connection.request(method, target, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    with answer:
        return answer.status, answer.read().decode(errors="replace")


@pytest.fixture
def body(allowed: str) -> dict[str, Any]:
    """A create that is allowed."""
    made: dict[str, Any] = json.loads(allowed)
    return made


@pytest.fixture(scope="module")
def allowed(broker: Broker, image: str) -> str:
    return json.dumps(
        {
            "Image": image,
            "Cmd": ["sleep", "60"],
            "Labels": {"gatehouse.key": KEY, "gatehouse.kind": "workspace", "gatehouse.digest": "0" * 64},
            "HostConfig": {
                "Memory": 64 << 20,
                "NanoCpus": 100_000_000,
                "PidsLimit": 32,
                "Mounts": [{"Type": "volume", "Source": volume(broker), "Target": "/workspace"}],
            },
            "NetworkingConfig": {
                "EndpointsConfig": {broker.network: {"IPAMConfig": {"IPv4Address": f"{NET}.200.200"}}}
            },
        }
    )


NET = "10.249"


def volume(broker: Broker) -> str:
    return f"gatehouse-{broker.platform}-{KEY}-work"


def create(broker: Broker, body: object, name: str = "") -> Sent:
    name = name or f"gatehouse-{broker.platform}-{KEY}"
    return ask(broker, "POST", f"/v1.41/containers/create?name={name}", body)


@pytest.fixture(scope="module", autouse=True)
def _network_and_volume(broker: Broker, engine: Any) -> Iterator[None]:
    made = {"Name": broker.network, "IPAM": {"Config": [{"Subnet": f"{NET}.0.0/16"}]}}
    status, text = ask(broker, "POST", "/v1.41/networks/create", made)
    assert status == 201, text
    labels = {"gatehouse.key": KEY, "gatehouse.kind": "workspace"}
    status, text = ask(broker, "POST", "/v1.41/volumes/create", {"Name": volume(broker), "Labels": labels})
    assert status == 201, text
    yield
    assert ask(broker, "DELETE", f"/v1.41/volumes/{volume(broker)}")[0] == 204


MADE = "w-00000000000000cc"


@pytest.fixture(scope="module")
def made(broker: Broker, allowed: str) -> Iterator[str]:
    """The id of a container that runs."""
    body = json.loads(allowed)
    body["Labels"]["gatehouse.key"] = MADE
    body["HostConfig"]["Mounts"] = []
    status, text = create(broker, body, f"gatehouse-{broker.platform}-{MADE}")
    assert status == 201, text
    found = json.loads(text)["Id"]
    assert ask(broker, "POST", f"/v1.41/containers/{found}/start")[0] == 204
    yield found
    assert ask(broker, "DELETE", f"/v1.41/containers/{found}?force=1&v=1")[0] == 204


def created(broker: Broker, engine: Any) -> bool:
    """Whether there is a container of the key that only bad creates name."""
    return any(KEY in name for name in broker.labelled(engine)["containers"])


@pytest.fixture(scope="module")
def foreign(engine: Any, image: str) -> Iterator[dict[str, str]]:
    """Somebody else's container, which runs, with an exec in it, a volume and a network."""
    name = f"gatehouse-test-foreign-{os.getpid()}"
    container = engine.create_container(
        image, ["sleep", "300"], name=name, host_config=engine.create_host_config(network_mode="none")
    )["Id"]
    engine.start(container)
    execution = engine.exec_create(container, ["id"])["Id"]
    engine.create_volume(name)
    network = engine.create_network(name, ipam={"Config": [{"Subnet": "10.248.0.0/24"}]})["Id"]
    yield {"name": name, "container": container, "exec": execution, "network": network}
    engine.remove_container(container, force=True)
    engine.remove_volume(name)
    engine.remove_network(network)


# What it makes


def test_a_container_is_hardened_whatever_was_asked(broker: Broker, made: str, engine: Any) -> None:
    found = engine.inspect_container(made)
    host = found["HostConfig"]
    assert found["Config"]["User"] == "10001:10001"
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True and host["Privileged"] is False
    assert host["NetworkMode"] == broker.network and not host["PortBindings"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 << 20, 64 << 20, 32)
    assert host["IpcMode"] == "private" and not host["PidMode"] and not host["Binds"]
    assert found["Config"]["Labels"]["gatehouse.instance"] == broker.platform
    if os.geteuid() == 0:
        status = Path(f"/proc/{found['State']['Pid']}/status").read_text()
        told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
        assert told["NoNewPrivs"] == "1" and told["Seccomp"] == "2"
        assert told["Uid"].split()[0] == "10001"


def test_the_network_keeps_containers_apart(broker: Broker, engine: Any) -> None:
    found = engine.inspect_network(broker.network)
    assert found["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert found["Driver"] == "bridge" and not found["Attachable"]


# Creates that would be root on the host

HOST: dict[str, Any] = {
    "privileged": {"Privileged": True},
    "binds": {"Binds": ["/:/host"]},
    "bind mount": {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
    "pipe mount": {"Mounts": [{"Type": "npipe", "Source": "/", "Target": "/host"}]},
    "mount of a host path": {"Mounts": [{"Type": "volume", "Source": "/etc", "Target": "/host"}]},
    "volumes from": {"VolumesFrom": ["other"]},
    "pid": {"PidMode": "host"},
    "ipc": {"IpcMode": "host"},
    "uts": {"UTSMode": "host"},
    "user namespace": {"UsernsMode": "host"},
    "cgroup namespace": {"CgroupnsMode": "host"},
    "cgroup parent": {"CgroupParent": "/"},
    "network": {"NetworkMode": "host"},
    "another's network": {"NetworkMode": "container:other"},
    "bridge": {"NetworkMode": "bridge"},
    "devices": {
        "Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]
    },
    "device requests": {"DeviceRequests": [{"Driver": "nvidia", "Count": -1}]},
    "device rules": {"DeviceCgroupRules": ["a *:* rwm"]},
    "capabilities": {"CapAdd": ["SYS_ADMIN"]},
    "sysctls": {"Sysctls": {"net.ipv4.ip_forward": "1"}},
    "seccomp": {"SecurityOpt": ["seccomp=unconfined"]},
    "apparmor": {"SecurityOpt": ["apparmor=unconfined"]},
    "masked paths": {"MaskedPaths": ["/x"]},
    "read-only paths": {"ReadonlyPaths": ["/x"]},
    "ports": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
    "all ports": {"PublishAllPorts": True},
    "restart": {"RestartPolicy": {"Name": "always"}},
    "logging": {"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "unixgram:///dev/log"}}},
    "runtime": {"Runtime": "other"},
    "tmpfs": {"Tmpfs": {"/x": "exec"}},
    "group": {"GroupAdd": ["0"]},
    "volume driver": {"VolumeDriver": "other"},
    "container id file": {"ContainerIDFile": "/etc/x"},
    "oom": {"OomKillDisable": True},
    "storage": {"StorageOpt": {"size": "1G"}},
    "links": {"Links": ["other:x"]},
    "ulimits": {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}]},
    "annotations": {"Annotations": {"x": "y"}},
    "no memory limit": {"Memory": 0},
    "negative memory": {"Memory": -1},
    "memory as text": {"Memory": "64m"},
    "no limit of processes": {"PidsLimit": -1},
    "no limit of cores": {"NanoCpus": 0},
    "another spelling": {"privileged": True},
    "capitals": {"PRIVILEGED": True},
    "a Kelvin sign": {"\u212aernelMemory": 1},
    "a long s": {"Privileged\u017f": True},
}


@pytest.mark.parametrize("name", HOST)
def test_a_host_configuration_that_reaches_out_is_refused(
    broker: Broker, body: dict[str, Any], engine: Any, name: str
) -> None:
    body["HostConfig"] |= HOST[name]
    status, text = create(broker, body)
    assert status == 403, text
    assert not created(broker, engine)


TOP: dict[str, Any] = {
    "another user": {"User": "0:0"},
    "host configuration in another case": {"hostconfig": {"Privileged": True}},
    "entrypoint": {"Entrypoint": ["/bin/sh"]},
    "volumes": {"Volumes": {"/host": {}}},
    "health check": {"Healthcheck": {"Test": ["CMD", "id"]}},
    "mac address": {"MacAddress": "02:42:ac:11:00:02"},
    "domain": {"Domainname": "example.org"},
    "a label of another's": {
        "Labels": {"gatehouse.key": KEY, "gatehouse.kind": "workspace", "com.docker.x": "y"}
    },
    "another platform": {
        "Labels": {"gatehouse.key": KEY, "gatehouse.kind": "workspace", "gatehouse.instance": "0" * 12}
    },
    "no labels": {"Labels": {}},
    "another key": {"Labels": {"gatehouse.key": "w-00000000000000bb", "gatehouse.kind": "workspace"}},
    "another kind": {"Labels": {"gatehouse.key": KEY, "gatehouse.kind": "admin"}},
    "image": {"Image": "../x"},
    "image with a flag": {"Image": "--privileged"},
    "environment": {"Env": ["A=\0"]},
    "environment as an object": {"Env": {"A": "b"}},
    "command as a text": {"Cmd": "sh -c id"},
    "second network": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {}}}},
    "host name": {"Hostname": "a b"},
    "no host configuration": {"HostConfig": None},
    "list": {"HostConfig": []},
}


@pytest.mark.parametrize("name", TOP)
def test_a_container_of_another_form_is_refused(
    broker: Broker, body: dict[str, Any], engine: Any, name: str
) -> None:
    status, text = create(broker, body | TOP[name])
    assert status == 403, text
    assert not created(broker, engine)


@pytest.mark.parametrize(
    "user", ["root", "0", "00", "0:0", "root:root", "0000", "", "-1", "1 ", "a b", "$(id)"]
)
def test_a_service_is_never_root(broker: Broker, body: dict[str, Any], engine: Any, user: str) -> None:
    body["Labels"]["gatehouse.kind"] = "service"
    body["User"] = user
    status, text = create(broker, body)
    assert status == 403, text
    assert not created(broker, engine)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"HostConfig": {', r'"HostConfig": {"\u0050rivileged": true, '),
        lambda text: text.replace('"HostConfig": {', r'"HostConfig": {"\u0070rivileged": true, '),
        lambda text: text.replace(
            '"HostConfig": {', '"HostConfig": {"Privileged": false, "Privileged": true, '
        ),
        lambda text: text[:-1] + ', "HostConfig": {"Privileged": true}}',
        lambda text: text[:-1] + r', "Host\u0043onfig": {"Privileged": true}}',
        lambda text: text + text,
        lambda text: "\ufeff" + text,
        lambda text: text[:-1],
        lambda text: "[" * 100_000,
        lambda text: "[" + text + "]",
        lambda text: '{"a":' * 5_000,
        lambda text: text.replace("67108864", "NaN"),
        lambda text: text.replace("67108864", "6.7e7"),
        lambda text: text.replace("67108864", "true"),
        lambda text: text.encode("utf-16").decode("latin-1"),
    ],
    ids=lambda change: "",
)
def test_json_with_two_meanings_is_refused(
    broker: Broker, body: dict[str, Any], engine: Any, change: Any
) -> None:
    assert create(broker, change(json.dumps(body)))[0] in (400, 403)
    assert not created(broker, engine)


def test_volumes_of_others_are_not_mounted(
    broker: Broker, body: dict[str, Any], engine: Any, foreign: dict[str, str]
) -> None:
    other = f"gatehouse-{broker.platform}-w-00000000000000bb-work"
    engine.create_volume(f"{volume(broker)}.7", driver_opts={"type": "none", "o": "bind", "device": "/"})
    try:
        for name, wanted in ((foreign["name"], 403), (other, 403), (f"{volume(broker)}.7", 404)):
            bad = copy.deepcopy(body)
            bad["HostConfig"]["Mounts"][0]["Source"] = name
            assert create(broker, bad)[0] == wanted
            bad["HostConfig"]["Mounts"][0] |= {
                "Source": volume(broker),
                "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"device": "/", "o": "bind"}}},
            }
            assert create(broker, bad)[0] == 403
    finally:
        engine.remove_volume(f"{volume(broker)}.7")


@pytest.mark.parametrize("target", ["/workspace/../etc", "etc", "/a:b", "/a,b", "//../x", "/", "/./x"])
def test_where_a_volume_is_mounted_is_plain(broker: Broker, body: dict[str, Any], target: str) -> None:
    body["HostConfig"]["Mounts"][0]["Target"] = target
    assert create(broker, body)[0] == 403


@pytest.mark.parametrize(
    "options",
    [
        {"DriverOpts": {"type": "none", "o": "bind", "device": "/"}},
        {"driveropts": {"device": "/"}},
        {"Driver": "other"},
        {"ClusterVolumeSpec": {"Group": "x"}},
        {"Labels": {"gatehouse.key": "w-00000000000000bb", "gatehouse.kind": "workspace"}},
    ],
)
def test_a_volume_is_a_plain_folder(broker: Broker, options: dict[str, Any]) -> None:
    labels = {"gatehouse.key": KEY, "gatehouse.kind": "workspace"}
    made = {"Name": f"{volume(broker)}.9", "Labels": labels} | options
    assert ask(broker, "POST", "/v1.41/volumes/create", made)[0] == 403


@pytest.mark.parametrize(
    "options",
    [
        {"Name": "another"},
        {"Driver": "host"},
        {"Driver": "macvlan"},
        {"Options": {"com.docker.network.bridge.name": "docker0"}},
        {"Internal": True},
        {"Attachable": True},
        {"ConfigFrom": {"Network": "x"}},
        {"IPAM": {"Config": [{"Subnet": "8.8.0.0/16"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.0.0.0/8"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.247.0.0/24", "Gateway": "10.247.0.9"}]}},
        {"IPAM": {"Driver": "other", "Config": [{"Subnet": "10.247.0.0/24"}]}},
        {"IPAM": {"Config": []}},
    ],
)
def test_there_is_one_network_of_one_form(broker: Broker, options: dict[str, Any]) -> None:
    made = {"Name": broker.network, "IPAM": {"Config": [{"Subnet": "10.247.0.0/24"}]}} | options
    assert ask(broker, "POST", "/v1.41/networks/create", made)[0] == 403


# What is not ours


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "containers/{container}/json", None),
        ("GET", "containers/{name}/json", None),
        ("GET", "containers/{short}/json", None),
        ("GET", "containers/{container}/logs?stdout=1", None),
        ("GET", "containers/{container}/stats?stream=0", None),
        ("POST", "containers/{container}/start", None),
        ("POST", "containers/{container}/stop", None),
        ("POST", "containers/{container}/kill", None),
        ("DELETE", "containers/{container}?force=1", None),
        ("POST", "containers/{container}/exec", {"Cmd": ["id"]}),
        ("POST", "exec/{exec}/start", {"Detach": True}),
        ("GET", "exec/{exec}/json", None),
        ("POST", "exec/{exec}/resize?h=1&w=1", None),
        ("GET", "containers/{container}/archive?path=/etc", None),
        ("GET", "volumes/{name}", None),
        ("DELETE", "volumes/{name}", None),
        ("GET", "networks/{network}", None),
        ("GET", "networks/{name}", None),
        ("DELETE", "networks/{network}", None),
    ],
)
def test_what_is_anothers_is_not_there(
    broker: Broker, engine: Any, foreign: dict[str, str], method: str, target: str, body: object
) -> None:
    path = target.format(**foreign, short=foreign["container"][:12])
    assert ask(broker, method, f"/v1.41/{path}", body)[0] == 404
    assert engine.inspect_container(foreign["container"])["State"]["Running"]


def test_files_are_not_copied_into_anothers(broker: Broker, foreign: dict[str, str]) -> None:
    head = f"PUT /v1.41/containers/{foreign['container']}/archive?path=/tmp HTTP/1.1\r\nHost: d\r\n"
    answer = send(broker, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")


def test_files_of_a_running_one_are_not_reached(broker: Broker, made: str) -> None:
    assert ask(broker, "GET", f"/v1.41/containers/{made}/archive?path=/etc")[0] == 403


def test_lists_have_ours_alone(broker: Broker, made: str, foreign: dict[str, str]) -> None:
    for target in ("containers/json?all=1", "volumes", "system/df", "containers/json?all=1&filters={}"):
        status, text = ask(broker, "GET", f"/v1.41/{quote(target, safe='/?=&')}")
        assert status == 200
        assert foreign["name"] not in text
        assert broker.platform in text


@pytest.mark.parametrize(
    "filters",
    [
        '{"label":["x"]}',
        '{"name":["x"]}',
        '{"label":{"a":true}}',
        "[]",
        "{",
        '{"label":["gatehouse.instance=x"]}',
    ],
)
def test_filters_cannot_be_undone(broker: Broker, filters: str) -> None:
    assert ask(broker, "GET", f"/v1.41/containers/json?all=1&filters={quote(filters)}")[0] == 403
    assert ask(broker, "GET", f"/v1.41/events?filters={quote(filters)}")[0] == 403


# Execs


@pytest.mark.parametrize(
    "more",
    [
        {"Privileged": True},
        {"privileged": True},
        {"User": "root"},
        {"User": "0"},
        {"WorkingDir": "/proc/1/root"},
        {"DetachKeys": "ctrl-a"},
        {"Cmd": "id"},
        {"Cmd": None},
    ],
)
def test_an_exec_is_as_its_container(broker: Broker, made: str, more: dict[str, Any]) -> None:
    body = {"Cmd": ["id"]} | more
    assert ask(broker, "POST", f"/v1.41/containers/{made}/exec", body)[0] == 403


def test_a_helper_is_never_started(broker: Broker, body: dict[str, Any], engine: Any) -> None:
    body["Labels"] = {"gatehouse.key": KEY, "gatehouse.kind": "helper"}
    del body["NetworkingConfig"]
    name = f"gatehouse-{broker.platform}-{KEY}-helper"
    assert create(broker, body, name)[0] == 201
    assert engine.inspect_container(name)["HostConfig"]["NetworkMode"] == "none"
    assert ask(broker, "POST", f"/v1.41/containers/{name}/start")[0] == 403
    assert ask(broker, "DELETE", f"/v1.41/containers/{name}")[0] == 204


# Calls and paths that there are not


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1.41/containers/{id}/attach/ws?stream=1"),
        ("POST", "/v1.41/containers/{id}/attach?stream=1"),
        ("GET", "/v1.41/containers/{id}/export"),
        ("GET", "/v1.41/containers/{id}/top"),
        ("POST", "/v1.41/containers/{id}/update"),
        ("POST", "/v1.41/containers/{id}/rename?name=x"),
        ("POST", "/v1.41/containers/{id}/copy"),
        ("POST", "/v1.41/containers/prune"),
        ("POST", "/v1.41/commit?container={id}"),
        ("POST", "/v1.41/build"),
        ("POST", "/v1.41/session"),
        ("POST", "/v1.41/grpc"),
        ("GET", "/v1.41/images/json"),
        ("POST", "/v1.41/images/load"),
        ("POST", "/v1.41/images/create?fromSrc=-"),
        ("POST", "/v1.41/images/create?fromImage=x&tag=y"),
        ("DELETE", "/v1.41/images/x"),
        ("POST", "/v1.41/images/prune"),
        ("GET", "/v1.41/networks"),
        ("POST", "/v1.41/networks/x/connect"),
        ("GET", "/v1.41/plugins"),
        ("POST", "/v1.41/plugins/pull?remote=x"),
        ("POST", "/v1.41/swarm/init"),
        ("GET", "/v1.41/secrets"),
        ("GET", "/v1.41/services"),
        ("POST", "/v1.41/auth"),
        ("GET", "/v1.41/../v1.41/info"),
        ("GET", "//v1.41/../info"),
        ("GET", "/v1.41//info"),
        ("GET", "/v1.41/./info"),
        ("GET", "/v1.41/info/"),
        ("GET", "/v1.41/%69nfo"),
        ("GET", "/v1.41/containers/..%2f..%2finfo/json"),
        ("GET", "/v1.41/containers/../info"),
        ("GET", "/v1.41/images/../../containers/x/json"),
        ("GET", "/v1.41/images/../json"),
        ("GET", "/v1.41\\info"),
        ("GET", "http://docker/v1.41/info"),
        ("GET", "/info"),
        ("GET", "/containers/json"),
        ("GET", "/v1.41/info;x"),
        ("GET", "/v1.41/info#x"),
        ("GET", "/V1.41/info"),
        ("GET", "/v1.41/INFO"),
        ("GET", "/v2.0/info"),
        ("GET", "/v1.41/info?x=y"),
        ("PATCH", "/v1.41/info"),
        ("OPTIONS", "*"),
        ("CONNECT", "docker:80"),
        ("GET", "/v1.41/containers/json?all=1&all=0"),
        ("GET", "/v1.41/containers/json?filters={}&filters={}"),
        ("GET", "/v1.41/containers/json?all=1;filters=x"),
        ("GET", "/v1.41/containers/json?%61ll=2"),
        ("GET", "/v1.41/containers/json?all"),
        ("POST", "/v1.41/containers/create"),
        ("POST", "/v1.41/containers/create?name=other"),
        ("POST", "/v1.41/containers/create?name=x&platform=y"),
    ],
)
def test_what_is_not_in_the_table_is_refused(broker: Broker, made: str, method: str, target: str) -> None:
    status, text = ask(broker, method, target.replace("{id}", made))
    assert status in (400, 403), text


def test_old_versions_are_refused(broker: Broker, made: str) -> None:
    """Before 1.24 a start could bring a host configuration."""
    start = {"HostConfig": {"Privileged": True}}
    assert ask(broker, "POST", f"/v1.18/containers/{made}/start", start)[0] == 400
    assert ask(broker, "POST", f"/v1.41/containers/{made}/start", start)[0] == 403


# HTTP


POST = b"POST /v1.41/volumes/create HTTP/1.1\r\nHost: d\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\n\r\n{}",
        POST + b"Content-Length: -1\r\n\r\n{}",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1.41/info HTTP/1.0\r\n\r\n",
        b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nHost: e\r\n\r\n",
        b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
        b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1.41/info\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nX: " + b"x" * 400_000 + b"\r\n\r\n",
    ],
    ids=range(16),
)
def test_requests_that_can_be_read_in_two_ways_are_refused(broker: Broker, raw: bytes) -> None:
    assert send(broker, raw)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 431")


def test_a_connection_carries_one_request(broker: Broker, foreign: dict[str, str], engine: Any) -> None:
    """What is smuggled behind one is never read."""
    first = b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\n\r\n"
    second = f"POST /v1.41/containers/{foreign['container']}/kill HTTP/1.1\r\nHost: d\r\n\r\n"
    answer = send(broker, first + second.encode())
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert engine.inspect_container(foreign["container"])["State"]["Running"]


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_has_an_end(broker: Broker, chunked: bool) -> None:
    head = b"POST /v1.41/containers/create?name=x HTTP/1.1\r\nHost: d\r\n"
    piece = b"x" * 65_536
    if chunked:
        raw = (
            head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + piece + b"\r\n") * 9 + b"0\r\n\r\n"
        )
    else:
        raw = head + b"Content-Length: 589824\r\n\r\n" + piece * 9
    assert send(broker, raw).startswith(b"HTTP/1.1 413")


def test_what_is_asked_of_the_engine_is_told_to_few(broker: Broker) -> None:
    status, text = ask(broker, "GET", "/v1.41/info")
    assert status == 200
    told = json.loads(text)
    assert told["Gatehouse"]["Platform"] == broker.platform
    assert not {"Name", "ID", "DockerRootDir", "Containers", "Labels", "Swarm"} & set(told)
