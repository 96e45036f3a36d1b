"""``--tls self-signed``: an authority of the platform's own, and a certificate for this machine signed by it.

The authority is made once, so that clients which trust DIR/tls/ca.pem go on trusting; the certificate is short-lived and made
anew in time. Runs as a process of its own (``python -m faasioflex.platform.certificate``): the supervisor stays small.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import sys
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_private, write_private

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 90
RENEW_BEFORE_DAYS = 30


def ensure(folder: Path, host: str, now: dt.datetime, public: str = "") -> bool:
    """See that ``folder`` has ca.pem, cert.pem (chain) and key.pem good for RENEW_BEFORE_DAYS more. True: made something new.

    ``public``: the name or address by which others know the platform.
    """
    make_private(folder)
    names = _names(host, public)
    if _good(folder, names, now):
        return False
    authority_key, authority = _authority(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("FaaSioFlex", authority.subject, key, now, CERTIFICATE_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(folder / "key.pem", key)
    write_private(folder / "cert.pem", _pem(certificate) + _pem(authority))
    return True


def _names(host: str, public: str) -> list[x509.GeneralName]:
    addresses = dict.fromkeys(["127.0.0.1", "::1", *_addresses(host)])
    names = dict.fromkeys(["localhost", socket.gethostname(), socket.getfqdn()])
    try:
        addresses[str(ipaddress.ip_address(public))] = None
    except ValueError:
        names[public] = None
    found: list[x509.GeneralName] = [x509.DNSName(name) for name in names if name and name.isascii()]
    return [*found, *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]


def _addresses(host: str) -> list[str]:
    """``host``; in place of "all of them" those of this machine."""
    if not ipaddress.ip_address(host).is_unspecified:
        return [host]
    families = {socket.AF_INET, socket.AF_INET6}
    found = (one for card in psutil.net_if_addrs().values() for one in card if one.family in families)
    return [one.address.partition("%")[0] for one in found]


def _good(folder: Path, names: list[x509.GeneralName], now: dt.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
        certificate.verify_directly_issued_by(authority)
        has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:
        return False  # missing, half of it, or somebody else's: made anew
    return (
        certificate.not_valid_after_utc - now > dt.timedelta(days=RENEW_BEFORE_DAYS)
        and certificate.public_key() == key.public_key()
        and set(names) <= set(has)
    )


def _authority(folder: Path, now: dt.datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    try:
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    except (OSError, ValueError):
        return _new_authority(folder, now)
    lasts = certificate.not_valid_after_utc - now > dt.timedelta(days=CERTIFICATE_DAYS)
    if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.public_key() == key.public_key() and lasts:
        return key, certificate
    return _new_authority(folder, now)


def _new_authority(folder: Path, now: dt.datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "FaaSioFlex authority of one installation")])
    certificate = (
        _builder("FaaSioFlex authority of one installation", name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / "ca.key", key)
    write_private(folder / "ca.pem", _pem(certificate))
    return key, certificate


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, text.decode())


def check(chain: Path, key: Path, now: dt.datetime) -> str | None:
    """What is wrong with an operator's files, in a sentence; None: they can be served."""
    try:
        certificates = x509.load_pem_x509_certificates(chain.read_bytes())
    except (OSError, ValueError) as error:
        return f"The TLS certificate {chain} cannot be read: {error}"
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: it is encrypted
        return f"The TLS key {key} cannot be read: {error}"
    if certificates[0].public_key() != private.public_key():
        return f"The TLS key {key} does not belong to the first certificate in {chain}."
    if certificates[0].not_valid_after_utc < now:
        return f"The TLS certificate {chain} has been over since {certificates[0].not_valid_after_utc:%Y-%m-%d}."
    return None


def main(arguments: list[str]) -> str | None:
    """``ensure DIR HOST [PUBLIC]`` or ``check CHAIN KEY``; returns what is wrong, for sys.exit."""
    verb, first, second, *more = arguments
    now = dt.datetime.now(dt.UTC)
    if verb == "check":
        return check(Path(first), Path(second), now)
    ensure(DataFolder.at(first).tls, second, now, *more)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
