"""What runs in sandboxes while their walls are tested: a server that gives what it is asked to `sh`."""

import http.server
import os
import socket
import socketserver
import subprocess
import urllib.parse

(descriptor,) = [
    int(word.partition(":")[2])
    for word in os.environ["GATEHOUSE_LISTEN_FDS"].split()
    if word.startswith("8080:")
]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        command = urllib.parse.unquote(urllib.parse.urlsplit(self.path).query)
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
        body = done.stdout + done.stderr
        self.send_response(200 if done.returncode == 0 else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("local", 0)


server = Server("", Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=descriptor)
server.serve_forever(poll_interval=5)
