"""The rows of the table, their bars, and the verdict.

A row collects one value a round for each server; medians are compared, so one disturbed round
does not decide.
"""

import os
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Row:
    """One line of the table. The bar is a ratio to Dovecot, or a limit on our own value."""
    name: str
    title: str
    unit: str
    at_least: float = None  # times Dovecot
    at_most: float = None   # in unit
    share: float = None     # of Dovecot, at most
    exact: bool = False     # judged in every run: not a matter of speed
    ours: list = field(default_factory=list)
    dovecot: list = field(default_factory=list)
    note: str = ""
    information: bool = False  # no bar
    digits: int = 1

    def ratio(self):
        if not self.ours or not self.dovecot or median(self.dovecot) == 0:
            return None
        return median(self.ours) / median(self.dovecot)

    def reached(self):
        if self.information:
            return True
        if self.compared():
            ratio = self.ratio()
            return ratio is not None and (ratio <= self.share if self.at_least is None
                                          else ratio >= self.at_least)
        return median(self.ours) <= self.at_most

    def compared(self):
        """Whether the bar is a ratio."""
        return self.at_least is not None or self.share is not None

    def bar(self):
        if self.information:
            return "-"
        if self.at_least is not None:
            return f">= {self.at_least:g} x"
        if self.share is not None:
            return f"<= {self.share:g} x"
        return f"<= {self.at_most:g} {self.unit}"

    def value(self, values):
        return f"{median(values):,.{self.digits}f} {self.unit}" if values else "-"

    def verdict(self):
        if self.information:
            return "information"
        return "reached" if self.reached() else "not reached"


def table(rows, ours):
    """The whole table as text."""
    lines = [("row", ours, "dovecot", "ratio", "bar", "verdict", "")]
    for row in rows:
        ratio = row.ratio() if row.compared() or row.information else None
        lines.append((row.title, row.value(row.ours), row.value(row.dovecot),
                      f"{ratio:.2f}" if ratio is not None else "-", row.bar(), row.verdict(),
                      row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    text = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:5], widths[1:5])]
        cells.append(line[5].ljust(widths[5]))
        text.append("  ".join(cells + [line[6]]).rstrip())
    text.insert(1, "-" * len(text[0]))
    return "\n".join(text)


def passed(row, judge):
    """Whether the row counts as a success; if speed is not judged, only exact ones can fail."""
    return row.reached() or not (judge or row.exact)


def write_results(rows, judge):
    """One line a row for the summary of scripts/test."""
    path = os.environ.get("POP3_RESULTS")
    if not path:
        return
    with open(path, "a", encoding="utf-8") as file:
        for row in rows:
            if row.information:
                continue
            verdict = "ok" if passed(row, judge) else "fail"
            file.write(f"bench\t{row.name}\t{verdict}\t{len(row.ours)}\n")
