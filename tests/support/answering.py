"""Starts a server as it is typed, on a free port, and ends it once it answers.

python -m tests.support.answering mlflow ui --backend-store-uri sqlite:///mlflow.db
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

PATIENCE_S = 180


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Whether it answers before it ends, or patience does."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.5)
    return False


def main() -> None:
    """Start the server of the command line; exit 1 if it does not answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *sys.argv[1:], "--port", str(port)]
    server = subprocess.Popen(command, start_new_session=True)
    try:
        sys.exit(not answers(port, server))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


if __name__ == "__main__":
    main()
