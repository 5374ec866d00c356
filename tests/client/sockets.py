"""A server on a real socket that does as it is told, and what it can be told."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable

Play = Callable[[socket.socket, "SocketServer"], None]

GOOD = b'{"success": true, "regions": [{"name": "US-1"}]}'
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def chunked(*pieces: bytes, headers: str = "") -> bytes:
    """The start of an answer in chunks; the empty chunk that ends it is not among them."""
    start = f"HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode()
    return start + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def read_request(connection: socket.socket) -> bytes:
    """One whole request; less of it when the client has gone."""
    request = b""
    while True:
        head, end, body = request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= int(length[1] if length else 0):
            return request
        piece = connection.recv(65536)
        if not piece:
            return request
        request += piece


class SocketServer:
    """Reads one request of each connection, does with the socket what the play says, and closes it.

    `requests` holds what arrived, one entry for each connection unless the play adds some. `poured` counts the bytes
    that `pours` got rid of. `over` is set when the running plays must end.
    """

    def __init__(self, play: Play) -> None:
        self.requests: list[bytes] = []
        self.poured = 0
        self.over = threading.Event()
        self._play = play
        self._reads = True
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._playing: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def plays(self, play: Play, *, reads: bool = True) -> None:
        """Ends what is played now, forgets what arrived, and plays this from now on, before any reading if so told."""
        self.rest()
        self.requests.clear()
        self.poured = 0
        self._play, self._reads = play, reads

    def rest(self) -> None:
        """Ends what is played now, and with it the connections."""
        self.over.set()
        for connection in self._connections:
            with contextlib.suppress(OSError):  # most of them are closed by now
                connection.shutdown(socket.SHUT_RD)  # wakes up a play that waits for one more request
        for thread in self._playing:
            thread.join(5)
        self._connections.clear()
        self._playing.clear()
        self.over.clear()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(5)
        self.rest()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._playing.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                request = read_request(connection) if self._reads else b""
                if request or not self._reads:
                    self.requests.append(request)
                    self._play(connection, self)
            except OSError:  # the client has gone, as some of the plays mean it to
                return


def sends(*answers: bytes) -> Play:
    """Sends these bytes, and then closes."""
    return lambda connection, _server: connection.sendall(b"".join(answers))


def in_turn(*answers: bytes) -> Play:
    """Sends one answer after another, each for one more request, the last one for all that follow."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return play


def keeps(*answers: bytes) -> Play:
    """Sends one answer after another on one kept connection, each for one more request, and then closes."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        for place, answer in enumerate(answers):
            if place:
                server.requests.append(read_request(connection))
            connection.sendall(answer)

    return play


def hangs(*before: bytes) -> Play:
    """Sends these bytes, and then nothing more."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(b"".join(before))
        server.over.wait(5)

    return play


def drips(before: bytes, piece: bytes, pause: float = 0.03) -> Play:
    """Sends the start of an answer, and then a piece now and again without end."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(before)
        while not server.over.wait(pause):
            connection.sendall(piece)

    return play


def pours(before: bytes, piece: bytes, times: int) -> Play:
    """Sends the start of an answer, and then a piece again and again as fast as the client takes it."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(before)
        for _ in range(times):
            connection.sendall(piece)
            server.poured += len(piece)

    return play


def resets(*before: bytes) -> Play:
    """Sends these bytes, and then breaks the connection off."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(b"".join(before))
        if before:
            server.over.wait(0.02)  # so that the client reads them first
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    return play
