"""Metrics for Prometheus; who may read them is a setting."""

import hmac
from ipaddress import ip_address, ip_network

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from services.api import query
from services.api.problems import Problem
from services.api.wired import wired

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def get_metrics() -> Response:
    """Return what a scraper asks for."""
    query.known()
    _require_allowed()
    return Response(wired().metrics.text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _require_allowed() -> None:
    """Answer 403 outside the networks of the setting, 401 without its token."""
    settings = wired().settings
    networks = [part.strip() for part in settings.metrics_networks.split(",") if part.strip()]
    if networks and not _is_in(request.remote_addr or "", networks):
        raise Problem(403, "address_not_allowed", "Metrics are not for this address.")
    wanted = settings.metrics_token
    if not wanted:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), wanted.encode())
    if scheme.lower() != "bearer" or not right:
        raise Problem(
            401, "unauthorized", "Send the token of APWA_METRICS_TOKEN as a bearer.",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip


def _is_in(address: str, networks: list[str]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ip_network(network) for network in networks)
