"""The rows of a declarations file as they stand in it, so that refused ones can be handed back with the reason beside them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from parties.common.home import write_private
from schemas.domain.csv_form import COLUMNS, PAPER_COLUMNS, RowError
from schemas.domain.errors import DomainError
from schemas.domain.identifiers import DeclarationNumber, Flow, PaperNumber

REASON_COLUMN = "原因 reason"
_ANOTHER_ROW = "another row of this declaration has a mistake / 同一报关单的其他行有误"


@dataclass(frozen=True)
class Sheet:
    """Rows by their number as a spreadsheet counts; the header is row 1. Nothing in it is checked."""

    rows: Mapping[int, Sequence[str]]

    @classmethod
    def read(cls, content: bytes) -> Sheet:
        """As far as it can be read: a file that is not CSV has fewer rows or none, and reading it properly says why."""
        rows: dict[int, Sequence[str]] = {}
        reader = csv.reader(io.StringIO(_text(content), newline=""))
        try:
            for number, cells in enumerate(reader, start=1):
                rows[number] = cells
        except csv.Error:
            pass
        return cls(rows)

    def rows_of_declarations(self, flow: Flow = "export") -> dict[str, list[int]]:
        """The rows that name each declaration, by its number of 18 digits."""
        accepted = {"declaration_number", *COLUMNS["declaration_number"]}
        return self._rows_of(accepted, lambda text: DeclarationNumber.parse(text, flow).text)

    def rows_of_papers(self) -> dict[str, list[int]]:
        """The rows that name each paper that is no declaration, by its number."""
        return self._rows_of({"number", *PAPER_COLUMNS["number"]}, lambda text: PaperNumber.parse(text).text)

    def _rows_of(self, accepted: Set[str], parse: Callable[[str], str]) -> dict[str, list[int]]:
        header = [cell.strip().lower().replace(" ", "_") for cell in self.rows.get(1, [])]
        place = next((index for index, name in enumerate(header) if name in accepted), None)
        found: defaultdict[str, list[int]] = defaultdict(list)
        for number, cells in self.rows.items():
            if place is None or number == 1 or len(cells) <= place:
                continue
            try:
                found[parse(cells[place])].append(number)
            except DomainError:
                continue
        return dict(found)

    def write_refused(self, path: Path, refused: Iterable[int], errors: Iterable[RowError]) -> None:
        """Writes the header and the refused rows with the reasons in a last column: mend them, and use the file as it is.

        UTF-8 with a byte order mark, so that spreadsheets read the Chinese. Raises InputError where it cannot be written.
        """
        reasons: defaultdict[int, list[str]] = defaultdict(list)
        for error in errors:
            reasons[error.row].append(f"[{error.column}] {error.error}" if error.column else str(error.error))
        header = list(self.rows.get(1, []))
        place = header.index(REASON_COLUMN) if REASON_COLUMN in header else len(header)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([*header[:place], REASON_COLUMN])
        for number in sorted(set(refused)):
            cells = [*self.rows.get(number, []), *[""] * place][:place]
            writer.writerow([*cells, "; ".join(reasons[number] or reasons[0] or [_ANOTHER_ROW])])
        write_private(path, b"\xef\xbb\xbf" + text.getvalue().encode())


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", "replace")
