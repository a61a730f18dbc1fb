"""What runs in an instance while a provider is tested: a small HTTP server that does as it is told.

Its source is given to the instance's Python as a text, so it uses the standard library alone.
"""

import http.server
import json
import os
import pathlib
import socket
import socketserver
import sys
import threading
import urllib.parse
import uuid

ROOT = pathlib.Path(os.environ.get("GATEHOUSE_ROOT", "/workspace"))
RUN = uuid.uuid4().hex


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        said = urllib.parse.unquote(parts.query)
        try:
            text = getattr(self, "on_" + parts.path.strip("/"))(said)
            status = 200
        except Exception as e:
            text, status = repr(e), 500
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def on_healthz(self, said):
        return "ok"

    def on_status(self, said):
        return json.dumps({"repository": "none", "error": "", "in_flight": 0, "connections": 0})

    def on_run(self, said):
        return RUN

    def on_env(self, said):
        return os.environ.get(said, "")

    def on_id(self, said):
        return str(os.getuid())

    def on_say(self, said):
        sys.stdout.write(said + "\n")
        sys.stdout.flush()
        return said

    def on_write(self, said):
        name, _, text = said.partition("=")
        (ROOT / name).write_text(text)
        return "written"

    def on_read(self, said):
        return (ROOT / said).read_text()

    def on_link(self, said):
        return str((ROOT / said).readlink())

    def on_outside(self, said):
        """Whether a file outside the volume can be written."""
        pathlib.Path(said).write_text("x")
        return "written"

    def on_allocate(self, said):
        taken = bytearray(int(said) << 20)
        taken[::4096] = b"x" * len(taken[::4096])
        return str(len(taken))

    def on_children(self, said):
        """How many children of so many could be started at once."""
        children = []
        for _ in range(int(said)):
            try:
                pid = os.fork()
            except OSError:
                break
            if pid == 0:
                threading.Event().wait(30)
                os._exit(0)
            children.append(pid)
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        return str(len(children))

    def on_exit(self, said):
        threading.Timer(0.05, os._exit, [int(said)]).start()
        return "going"


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


sys.stdout.write("started\n")
sys.stdout.flush()
sockets = os.environ.get("GATEHOUSE_SOCKETS")
inherited = dict(word.split(":") for word in os.environ.get("GATEHOUSE_LISTEN_FDS", "").split())
server: socketserver.BaseServer
if "8080" in inherited:
    handed = Unix("", Handler, bind_and_activate=False)
    handed.socket = socket.socket(fileno=int(inherited["8080"]))
    server = handed
elif sockets:
    path = pathlib.Path(sockets) / "p8080.sock"
    path.unlink(missing_ok=True)
    server = Unix(str(path), Handler)
    path.chmod(0o666)
else:
    server = Server(("0.0.0.0", 8080), Handler)
try:
    server.serve_forever(poll_interval=0.05)
except KeyboardInterrupt:
    sys.exit(0)
