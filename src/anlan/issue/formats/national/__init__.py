"""The national warning format (12379, namespace http://com.icss.amp): writer, reader, rules N01-N09.

It looks like CAP but is not: times carry a space, ``references`` is the first message's bare
identifier, severity is the colour word, a circle's radius is in metres.
"""

from __future__ import annotations

from lxml import etree

from ....base.errors import FieldError
from ...contract import AlertDraft, CheckFinding, Format
from ...messages import safe_parse
from .rules import NAMESPACE, check_rules
from .write import tree


class National(Format):
    """The national emergency warning exchange format."""

    name = "national12379"
    namespaces = (NAMESPACE,)

    def check(self, data: bytes, *, outgoing: bool = False) -> list[CheckFinding]:
        """Findings by the national rules."""
        return check_rules(safe_parse(data), outgoing=outgoing)

    def write(self, alert: AlertDraft) -> bytes:
        """The alert in the national format; FieldError with the first error of our own check."""
        data: bytes = etree.tostring(tree(alert), xml_declaration=True, encoding="UTF-8", pretty_print=True)
        for finding in self.check(data, outgoing=True):
            if finding.level == "error":
                raise FieldError("alert", alert.identifier, finding.zh, finding.en, code="issue.bad_alert")
        return data
