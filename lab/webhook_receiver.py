"""A server that takes audit events over HTTPS, as a SIEM does: for tests of the webhook backend.

It runs in a node's network namespace and listens on the node's own address. A separate certificate authority vouches
for it and for one client. It can be stopped and started again at the same address.
"""

from __future__ import annotations

import argparse
import datetime
import http.server
import ipaddress
import json
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.api import Node
from lab.errors import LabError
from lab.namespaces import holder

PORT = 9443
_VALID = datetime.timedelta(days=1)


class WebhookReceiver:
    """One receiver; ``folder`` holds its certificates and what it received, and must be new."""

    def __init__(self, node: Node, folder: Path) -> None:
        self._node, self._folder = node, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.token = secrets.token_urlsafe(32)
        folder.mkdir(parents=True)
        (folder / "token").write_text(self.token)
        (folder / "events").touch()
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = _certificate("audit webhook test authority", authority_key.public_key(), authority_key, None)
        (folder / "ca.pem").write_text(_pem(authority))
        for name in ("server", "client"):
            key = ec.generate_private_key(ec.SECP256R1())
            address = node.address if name == "server" else None
            certificate = _certificate(name, key.public_key(), authority_key, authority, address)
            (folder / f"{name}.pem").write_text(_pem(certificate))
            (folder / f"{name}.key").write_text(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ).decode()
            )

    @property
    def server(self) -> str:
        """Its URL."""
        return f"https://{self._node.address}:{PORT}/audit"

    def file(self, name: str) -> str:
        """The text of ca.pem, client.pem or client.key."""
        return (self._folder / name).read_text()

    def events(self) -> list[dict[str, object]]:
        """Every audit event that came in so far, in its order."""
        return [json.loads(line) for line in (self._folder / "events").read_text().splitlines()]

    def refused(self) -> int:
        """How many requests came without the token and without the client's certificate."""
        return len((self._folder / "refused").read_text()) if (self._folder / "refused").exists() else 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """It listens as long as the block runs."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Returns once it listens. Raises LabError when it does not."""
        pid = holder(self._node.state)
        if pid is None:
            raise LabError(f"{self._node.name} is down")
        words = [sys.executable, "-m", "lab.webhook_receiver", self._node.address, str(self._folder)]
        self._process = subprocess.Popen(["nsenter", f"--target={pid}", "--net", *words], stdout=subprocess.PIPE)
        assert self._process.stdout is not None  # noqa: S101  asked for above
        if self._process.stdout.readline() != b"listening\n":
            raise LabError(f"the webhook receiver does not listen on {self._node.address}:{PORT}")

    def stop(self) -> None:
        """Ends it; connections to it are refused from now on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def wait_for(self, text: str, seconds: int = 90) -> dict[str, object]:
        """The first event that holds ``text``, once it has come. Raises LabError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in (self._folder / "events").read_text().splitlines():
                if text in line:
                    found: dict[str, object] = json.loads(line)
                    return found
            time.sleep(0.5)
        raise LabError(f"no event with {text!r} arrived within {seconds} s")


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    signing_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    address: str | None = None,
) -> x509.Certificate:
    """A certificate for ``key``; without ``issuer`` that of the authority itself."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if address else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _serve(address: str, folder: Path) -> None:
    token = (folder / "token").read_text()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shown = self.connection.getpeercert()
            welcome = bool(shown) or self.headers.get("Authorization") == f"Bearer {token}"
            if welcome:
                with (folder / "events").open("a") as file:
                    file.writelines(json.dumps(event) + "\n" for event in json.loads(body)["items"])
            else:
                with (folder / "refused").open("a") as file:
                    file.write("x")
            self.send_response(200 if welcome else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    with http.server.ThreadingHTTPServer((address, PORT), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        print("listening", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    _serve(given.address, given.folder)
