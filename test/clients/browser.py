"""A headless Chromium, spoken to by the DevTools protocol over a pipe; and PNG files.

Knows pages and pictures, no plots.  Everything that a page asks for is seen by the
protocol's network events, so "no request" is what the browser itself says.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import zlib


class Browser:
    def __init__(self, program, width=1000, height=700):
        self.folder = tempfile.mkdtemp(prefix="lstm-browser-")
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [program, "--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + self.folder, "--no-first-run",
                   "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
                   "--hide-scrollbars", "--window-size=%d,%d" % (width, height), "about:blank"]
        if os.getuid() == 0 or os.environ.get("LSTM_NO_SANDBOX"):
            command.insert(1, "--no-sandbox")
        self.log = tempfile.TemporaryFile()

        def place():
            # The protocol's descriptors are 3 and 4; the copies may lie there themselves.
            source, sink = os.dup2(to_read, 100), os.dup2(to_write, 101)
            os.dup2(source, 3)
            os.dup2(sink, 4)
        self.process = subprocess.Popen(command, preexec_fn=place, pass_fds=(3, 4), stdout=self.log, stderr=self.log,
                                        env=dict(os.environ, HOME=self.folder))
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._number, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Network", "Runtime", "Log":
            self.call(domain + ".enable")

    def _message(self, deadline):
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise RuntimeError("the browser does not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                self.log.seek(0)
                raise RuntimeError("the browser ended: " + self.log.read().decode("utf-8", "replace")[-2000:])
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        deadline = time.monotonic() + 60
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        """Loads a page and waits for it; its events are those in self.events."""
        self.events = []
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 60
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message(deadline))
        # What a page starts after it has loaded.
        self.evaluate("new Promise(done => setTimeout(done, 200))")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def complaints(self):
        """What the console and the log said, and exceptions."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"])[:300])
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(json.dumps(parameters["args"])[:300])
            elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("warning", "error"):
                found.append(parameters["entry"]["text"])
            elif event.get("method") == "Page.javascriptDialogOpening":
                found.append("dialog: " + parameters["message"])
        return found

    def requests(self):
        """Addresses that were asked for."""
        return [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]

    def scheme(self, name):
        """Light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def _capture(self, path, width, height):
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"])
        with open(path, "wb") as file:
            file.write(data)
        return data

    def picture(self, path):
        """Saves all of the page as PNG; returns (width, height, [(red, green, blue), ...]) of what is in sight of it."""
        width, height = self.evaluate("(b => [Math.ceil(b.width), Math.ceil(b.height)])(document.documentElement.getBoundingClientRect())")
        if height <= 700:
            return png_read(self._capture(path, width, height))
        seen = png_read(self._capture(path, width, 700))
        self._capture(path, width, height)
        return seen

    def close(self):
        try:
            self._session = None
            self.call("Browser.close")
        except (RuntimeError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def png_read(data):
    """Eight-bit RGB or RGBA without interlace, as browsers write."""
    at, packed = 8, b""
    while at < len(data):
        length, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height = int.from_bytes(body[0:4], "big"), int.from_bytes(body[4:8], "big")
            if body[8] != 8 or body[9] not in (2, 6) or body[12] != 0:
                raise RuntimeError("unexpected kind of PNG")
            size = 3 if body[9] == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    raw, stride, before, pixels = zlib.decompress(packed), width * size, bytearray(width * size), []
    for row in range(height):
        start = row * (stride + 1)
        line = _unfilter(raw[start], bytearray(raw[start + 1:start + 1 + stride]), before, size)
        pixels.extend((line[i], line[i + 1], line[i + 2]) for i in range(0, stride, size))
        before = line
    return width, height, pixels


def _unfilter(kind, line, above, size):
    if kind == 2:
        return bytearray((x + y) & 255 for x, y in zip(line, above))
    if kind == 0:
        return line
    for i in range(len(line)):
        left = line[i - size] if i >= size else 0
        up, corner = above[i], above[i - size] if i >= size else 0
        if kind == 1:
            add = left
        elif kind == 3:
            add = (left + up) // 2
        else:
            guess = left + up - corner
            add = min((left, up, corner), key=lambda value: abs(guess - value))
        line[i] = (line[i] + add) & 255
    return line
