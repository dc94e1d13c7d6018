"""TLS towards upstreams: verified always, with the system's roots and certifi's."""

import ssl
from functools import cache

import certifi

from anygate.canonical.errors import UpstreamCertificate

# X509_V_ERR_* of OpenSSL -> what an operator can act on. The names in a certificate stay out of it.
_REASONS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends in an unknown self-signed certificate",
    20: "its issuer is unknown",
    21: "its chain is incomplete",
    23: "it is revoked",
    62: "it is for another host name",
    64: "it is for another address",
}


@cache
def default_context() -> ssl.SSLContext:
    """The context that all connections share, offering HTTP/1.1 only. Made once: reading the roots takes tens of milliseconds."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def certificate_error(error: ssl.SSLCertVerificationError) -> UpstreamCertificate:
    """OpenSSL's refusal -> ours."""
    reason = _REASONS.get(error.verify_code)
    return UpstreamCertificate(f"The upstream's certificate does not verify{f': {reason}' if reason else ''}.")
