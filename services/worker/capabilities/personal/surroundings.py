"""Reads the words right before a number: what its writer calls it decides in doubtful cases."""

import re

_REACH = 48

# What is called an order, a version and so on is not personal data, whatever its digits say.
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:orders?|invoices?|receipts?|ref|reference|tickets?|cases?|tracking|parcel|shipment|"
    r"parts?|sku|serial|s/n|p/n|isbn|issn|ean|upc|gtin|imei|vin|mac|lot|batch|item|article|"
    r"product|model|build|versions?|ver|release|firmware|po|purchase order|rma|booking|"
    r"reservation|transaction|txn|timestamp|epoch|job|run|session|request|trace|error|"
    r"bestell(?:ung|nummer)|auftrag(?:snummer)?|rechnung(?:snummer)?|artikel(?:nummer)?|"
    r"commande|facture|r[ée]f[ée]rence|pedido|factura)"
    r"(?:[ \t]*(?:numbers?|num|no\.?|nos\.?|nr\.?|n[°º]|id|code|ref|key|#))*"
    r"[ \t]*(?:(?:is|was|are|=|:|#|\(|-)[ \t]*)*|#[ \t]?)$",
    re.IGNORECASE,
)


def before(text: str, at: int) -> str:
    """Return the few words that stand before position `at`, on its line."""
    words = text[max(0, at - _REACH) : at]
    return words[words.rfind("\n") + 1 :]


def named_otherwise(text: str, at: int) -> bool:
    """Return whether the number at `at` is called an order, an invoice, a version and the like."""
    return _OTHER_NUMBER.search(before(text, at)) is not None
