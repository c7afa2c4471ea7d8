"""A line between a browser and a server, to be cut and mended at will."""

import contextlib
import socket
import threading


class Wire:
    """Passes bytes on between a port of its own and the server's. Cut, it ends what is under way and takes nothing new.

    Hushed, it loses what the server says; stalled, it leaves that unread. Either holds until it is cut or mended."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.whole = True
        self.hushed = False
        self.flows = threading.Event()
        self.flows.set()
        self.lock = threading.Lock()
        self.ends = set()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def cut(self):
        with self.lock:
            self.whole = False
            self.flows.set()
            for end in self.ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self.lock:
            self.whole = True
            self.hushed = False
            self.flows.set()

    def hush(self):
        self.hushed = True

    def stall(self):
        self.flows.clear()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.join, args=(near,), daemon=True).start()

    def join(self, near):
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target), timeout=10) as far:
            far.settimeout(None)
            # What is left unread waits at the server, not here.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            with self.lock:
                if not self.whole:
                    return
                self.ends |= {near, far}
            back = threading.Thread(target=self.pass_on, args=(far, near, True), daemon=True)
            back.start()
            self.pass_on(near, far)
            back.join()
            with self.lock:
                self.ends -= {near, far}

    def pass_on(self, source, sink, back=False):
        with contextlib.suppress(OSError):
            while True:
                if back:
                    self.flows.wait()
                if not (data := source.recv(65_536)):
                    break
                if not (back and self.hushed):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
