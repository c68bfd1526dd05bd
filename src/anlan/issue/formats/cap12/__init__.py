"""CAP 1.2: strict writer, lenient reader with findings (schema, rules R01-R20, signature)."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from ....base import settings
from ....base.errors import FieldError
from ... import trust
from ...contract import AlertDraft, CheckFinding, Format
from ...messages import safe_parse
from .rules import check_rules, same_name
from .schema import NAMESPACE, faults, parse_time
from .write import tree


class Cap12(Format):
    """The OASIS Common Alerting Protocol 1.2."""

    name = "cap12"
    namespaces = (NAMESPACE,)

    def check(self, data: bytes, *, outgoing: bool = False) -> list[CheckFinding]:
        """Schema faults, rule findings, signature; on the way out every warning counts as an error."""
        root = safe_parse(data)
        found = [
            CheckFinding("XSD", "error", f"不合 CAP 1.2 结构：{fault}", f"does not fit the CAP 1.2 schema: {fault}")
            for fault in faults(root)
        ]
        found += check_rules(root)
        sender, _, sent = same_name(root)
        folder = settings.data_folder() / "trust"
        found += trust.check_signature(data, root, sender, parse_time(sent), folder if Path(folder).is_dir() else None)
        if outgoing:
            found = [CheckFinding(f.rule, "error", f.zh, f.en) if f.level == "warning" and f.rule != "SIG" else f for f in found]
        return found

    def write(self, alert: AlertDraft) -> bytes:
        """The alert as CAP 1.2; FieldError with the first finding when it would not pass our own check."""
        data: bytes = etree.tostring(tree(alert), xml_declaration=True, encoding="UTF-8", pretty_print=True)
        for finding in self.check(data, outgoing=True):
            if finding.level == "error" and finding.rule != "SIG":  # it is signed after it is written
                raise FieldError("alert", alert.identifier, finding.zh, finding.en, code="issue.bad_alert")
        return data
