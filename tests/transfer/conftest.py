"""A server on this machine that serves files, knows ranges, and can break off."""
import hashlib
import http.server
import threading

import pytest


class Server(http.server.ThreadingHTTPServer):
    """`files` by path; the next answers end after the bytes in `cuts`; `asked` holds (path, Range) of each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cuts, self.asked, self.versions = {}, [], [], True
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def serve(self, path: str, content: bytes) -> str:
        self.files[f"/{path}"] = content
        return self.url(path)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = self.start_of(tag)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.versions:
            self.send_header("ETag", tag)
        self.end_headers()
        cuts = self.server.cuts
        self.wfile.write(content[start:][: cuts.pop(0) if cuts else None])

    def start_of(self, tag: str) -> int:
        wanted = self.headers.get("Range")
        return int(wanted[len("bytes=") : -1]) if wanted and self.headers.get("If-Range") == tag else 0

    def log_message(self, *arguments):
        """Silent."""


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Server()
    yield server
    server.shutdown()
    server.server_close()
