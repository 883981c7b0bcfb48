"""A provider plugin's process as the engine sees it: started by its binary, spoken to over gRPC."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc


class ProviderCallError(Exception):
    """A provider call ended with an error, in the words the engine's own recordings use."""


@dataclass(slots=True)
class Message:
    """A message for the user. `severity` is DEBUG, INFO, WARNING or ERROR; `status` if it is not kept."""

    severity: str
    text: str
    status: bool


@dataclass(slots=True)
class ProviderPlugin:
    """A running, configured plugin, and what it has logged."""

    stub: Any
    messages: list[Message] = field(default_factory=list)

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call `method` (Check, Diff, Create, …) with the JSON form of its request; the JSON form of its response.

        Raises ProviderCallError.
        """
        message = json_format.ParseDict(request, getattr(provider_pb2, f"{method}Request")())
        try:
            response = getattr(self.stub, method)(message)
        except grpc.RpcError as error:
            code = error.code().name.capitalize()
            raise ProviderCallError(f"rpc error: code = {code} desc = {error.details()}") from error
        answer: dict[str, Any] = json_format.MessageToDict(response)
        return answer


@contextlib.contextmanager
def running(binary: Path) -> Iterator[ProviderPlugin]:
    """Start `binary`, shake hands and configure it as engine 3.250 does; end it when the block ends."""
    messages: list[Message] = []
    engine = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    engine_pb2_grpc.add_EngineServicer_to_server(_Engine(messages), engine)
    engine_address = f"127.0.0.1:{engine.add_insecure_port('127.0.0.1:0')}"
    engine.start()
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    process = subprocess.Popen([binary, engine_address], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
            _shake_hands(stub, engine_address)
            stub.Configure(
                provider_pb2.ConfigureRequest(
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                )
            )
            yield ProviderPlugin(stub, messages)
    finally:
        process.kill()
        process.wait()
        engine.stop(None)


def _shake_hands(stub: Any, engine_address: str) -> None:
    try:
        stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=engine_address))
    except grpc.RpcError as error:
        # Older provider frameworks do not know the call; the engine goes on without it too.
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise


class _Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802, ARG002 - named by the protocol
        severity = engine_pb2.LogSeverity.Name(request.severity)
        self._messages.append(Message(severity, request.message, request.ephemeral))
        return empty_pb2.Empty()
