"""A document in one file that loads nothing from outside, and tells nobody where it was read. Pure."""

from __future__ import annotations

import base64
import hashlib

from services.cli.picture.markup import Markup, element


def document(title: str, style: str, body: Markup, *, script: str | None = None) -> str:
    """The whole document. Its own style and script alone are in force, by their digests."""
    allowed = f"default-src 'none'; style-src {_digest(style)}"
    if script is not None:
        allowed += f"; script-src {_digest(script)}"
    policy = f"{allowed}; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "robots", "content": "noindex, nofollow"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", None, title),
        element("style", None, Markup(style)),
    )
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en-GB'}, head, body).text}\n"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
