"""The device ports under TLS, with a certificate made here."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

from .gateway_kit import GatewayProcess, Raw, message, register

pytestmark = pytest.mark.stack


def certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gateway")]), False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def test_mqtt_and_http_over_tls(real_db, nats, tmp_path):
    import httpx

    cert, key = certificate(tmp_path)
    device = register(1, prefix="tls")[0]
    trust = ssl.create_default_context(cafile=str(cert))
    trust.check_hostname = False
    with GatewayProcess(tmp_path / "d", real_db, nats, ANLAN_TLS_CERT=str(cert), ANLAN_TLS_KEY=str(key)) as gateway:
        plain = Raw(gateway.at("mqtt"))
        plain.socket = trust.wrap_socket(plain.socket, server_hostname="gateway")
        with plain as client:
            assert client.connect(device) == (0, 0)
            client.publish("up/tls-0", message({"tilt": 1}))
            assert client.receive() == (0x40, b"\0\1")
        host, port = gateway.at("http")
        url = f"https://{host}:{port}/v1/readings"
        answer = httpx.post(url, json=message({"tilt": 2}), auth=("tls-0", device["secret"]), verify=trust)
        assert answer.status_code == 200


def test_a_certificate_that_cannot_be_read_is_said(real_db, nats, tmp_path):
    gateway = GatewayProcess(tmp_path, real_db, nats, ANLAN_TLS_CERT=str(tmp_path / "none.pem"))
    gateway.start(wait=False)
    assert gateway.process.wait(20) == 1 and "collect.bad_certificate" in gateway.log()
