"""Certificates of a test run: a CA of its own, server certificates good and bad, a token signing key."""

import dataclasses
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1", "::1")
NAME = "registry.test"  # stands for loopback where a test says so; nothing else resolves it
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in memory and as PEM files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_file: pathlib.Path
    key_file: pathlib.Path

    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


class Pki:
    """A CA in a directory. `server` is what a registry on loopback should present."""

    def __init__(self, directory: pathlib.Path):
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = self._make("ca", is_ca=True)
        self.server = self.issue("server", (*LOOPBACK, NAME))

    @property
    def ca_file(self) -> pathlib.Path:
        return self.ca.certificate_file

    def issue(self, name: str, hosts=LOOPBACK, expired=False) -> Certificate:
        """A server certificate for `hosts`, signed by the CA."""
        return self._make(name, issuer=self.ca, hosts=hosts, expired=expired)

    def self_signed(self, name: str, hosts=LOOPBACK) -> Certificate:
        """A server certificate that nobody vouches for; also fit as a token signing certificate."""
        return self._make(name, hosts=hosts)

    def _make(self, name, issuer=None, hosts=(), expired=False, is_ca=False) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hawser test {name}")])
        now = datetime.datetime.utcnow()
        until = now - _DAY if expired else now + 2 * _DAY
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _DAY)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        certificate_file = self._directory / f"{name}.crt"
        key_file = self._directory / f"{name}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        key_file.chmod(0o600)
        return Certificate(certificate, key, certificate_file, key_file)


def _general_name(host: str):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
