"""The export as one page for the person: headings and tables in plain English, no script, made to be printed. Pure."""

from __future__ import annotations

from typing import Final

from services.cli.access.course import decisions, questions, received, services, who
from services.cli.access.dealings import consulted, disclosed, rights, why
from services.cli.access.sheet import paragraph
from services.cli.looking import Row
from services.cli.picture import palette
from services.cli.picture.document import document
from services.cli.picture.html import STYLE
from services.cli.picture.markup import Markup, element, together
from services.cli.picture.words import local

TITLE: Final = "What we hold about you"
FOR_REVIEW: Final = "For review only. Nothing is held back in this copy: never give it to the person it is about."

OWN_STYLE: Final = f"""{STYLE}
main, footer {{ max-width: 860px; }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 .25rem; break-after: avoid; }}
h2 {{ border-top: 1px solid #c3c8cf; padding-top: 1rem; }}
ul.plain {{ margin: .25rem 0 .5rem; padding-left: 1.25rem; }}
td.label, th.label {{ width: 38%; }}
th[scope=row] {{ font-weight: 400; color: {palette.TONES["muted"]}; }}
tr.said th[scope=row] {{ font-weight: 400; }}
td.when, th.when {{ min-width: 6.5rem; white-space: normal; }}
.held {{ color: {palette.TONES["muted"]}; font-style: italic; }}
nav ol {{ margin: .5rem 0; padding-left: 1.5rem; }}
@page {{ size: A4 portrait; margin: 15mm; }}
@media print {{ h2 {{ break-after: avoid; }} table.small {{ break-inside: avoid; }} nav {{ display: none; }} }}
"""


def page(held: Row) -> str:
    """The whole page."""
    return document(TITLE, OWN_STYLE, _body(held))


def _body(held: Row) -> Markup:
    for_review = held["opened"]["all_parties"]
    warning = [element("p", {"class": "warning", "role": "note"}, FOR_REVIEW)] if for_review else []
    parts = [
        ("who", "Who you are to us", who(held)),
        ("received", "What others told us about you", received(held)),
        ("services", "Where you were referred, and how it went", services(held)),
        ("decisions", "How it was decided", decisions(held)),
        ("people", "What people were asked about you", questions(held)),
        ("disclosed", "Whom we told, what and why", disclosed(held)),
        ("consulted", "Who looked at what we hold", consulted(held)),
        ("rest", "Why we hold it, and for how long", why(held)),
        ("rights", "What you can do", rights(held)),
    ]
    contents = element(
        "ol", None, *(element("li", None, element("a", {"href": f"#{id_}"}, title)) for id_, title, _ in parts)
    )
    main = element(
        "main",
        None,
        element("h1", None, TITLE),
        *_intro(held),
        element("nav", {"aria-label": "Contents"}, contents),
        *(
            element("section", {"aria-labelledby": id_}, element("h2", {"id": id_}, title), together(content))
            for id_, title, content in parts
        ),
    )
    made = f"Made {local(held['made_at'])} by {held['made_by']}. Times are those of the United Kingdom."
    return element("body", None, together(warning), main, element("footer", None, paragraph(made)))


def _intro(held: Row) -> list[Markup]:
    stated = held["person"]["stated"]
    names = [" ".join(str(one) for part in ("name.given", "name.family") for one in stated.get(part, [])[:1])]
    whom = f"This is about {names[0]}. " if names[0] else ""
    return [
        paragraph(
            f"{whom}It tells what the system called Onward holds about you: what services and the police reported, "
            "where you were referred and why, who was told, and who looked. You have a right to it in law."
        ),
        paragraph(
            "Some of what is held is left out, because it is about other people or could put somebody in danger. Where "
            "a single answer is left out you see [withheld] and the reason. What people wrote in their own words is "
            "given only after somebody has checked that it says nothing about others."
        ),
    ]
