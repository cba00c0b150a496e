"""The application of compose.yaml, in Python: says what came, and answers what is to become of it.

2xx: done. 4xx: never will do, so the message becomes a dead letter. 5xx, or no answer: once more
later. A message may come again after a failure, with the same ce-id: who has handled it says so.
"""
import http.server
import json
import os
import signal
import sys
import threading
import urllib.parse

handled = set()  # what has to survive a restart is kept in the application's database
lock = threading.Lock()


class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        topic = urllib.parse.unquote(self.headers.get("ce-subject", ""))
        try:
            order = json.loads(body)
        except ValueError:
            return self.answer(422, "the payload is no JSON")
        with lock:
            if self.headers.get("ce-id") not in handled:
                print(f"{topic}: {order}", flush=True)  # here: the work
                handled.add(self.headers.get("ce-id"))
        return self.answer(204)

    def do_GET(self):
        self.answer(200, f"{len(handled)} messages handled")

    def answer(self, status, text=""):
        body = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass  # a line for each request says nothing new


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Server(("", int(os.environ.get("PORT", "8080"))), Orders).serve_forever()
