"""Starts the provider and prints its port, as Pulumi's engine expects of a plugin."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.provider.server import Provider

_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit


def main() -> None:
    """Serves until the engine ends the process, or is gone itself."""
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(32), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The engine shows this among the messages of the deployment.
    sys.stderr.write("sandbox/provider stands in for Pulumi's AWS plugin: for development, against an emulator\n")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    # An engine that is killed ends no plugin: without it there is nothing left to do.
    engine = os.getppid()
    while not stopped.wait(5) and os.getppid() == engine:
        pass
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
