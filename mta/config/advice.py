"""What a configuration may say and had better not: warnings for ``mtactl lint``, never reasons to refuse it."""

from __future__ import annotations

from typing import Any

from mta.config.config import Config
from mta.errors import ConfigError, Where


def advice(config: Config) -> list[ConfigError]:
    """Warnings on options that need others beside them."""
    places = {raw.name: raw for raw in config.raw.transports}
    found = []
    for name, transport in config.transports.items():
        if transport.driver_name != "smtp":
            continue
        raw = places.get(name)
        for option, message in _smtp(transport.driver):
            lines = [line.where for line in raw.options if line.name == option] if raw is not None else []
            where = lines[-1] if lines else raw.where if raw is not None else Where(config.file, 0)
            found.append(ConfigError(f"{name} transport: {message}", where))
    return found


def _smtp(driver: Any) -> list[tuple[str, str]]:
    """(option, message); OCSP-12 and the manual's sections 43.10 and 43.18."""
    found = []
    if driver.hosts_require_ocsp is not None:
        if driver.hosts_require_tls is None:
            found.append(
                ("hosts_require_ocsp", "hosts_require_ocsp does nothing for mail in clear: set hosts_require_tls")
            )
        if driver.tls_verify_certificates is None:
            found.append(("hosts_require_ocsp", "hosts_require_ocsp needs tls_verify_certificates to judge a proof by"))
    if driver.hosts_require_dane is not None and driver.dnssec_request_domains is None:
        found.append(("hosts_require_dane", "hosts_require_dane cannot be met without dnssec_request_domains"))
    return found
