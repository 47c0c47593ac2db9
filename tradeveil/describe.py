"""Writes what others read of us: JSON Schemas of the messages (schemas/json), the OpenAPI description,
docs/PROBLEMS.md, and the parties' client (parties/common/api.py).

python -m tradeveil.describe            write them anew
python -m tradeveil.describe --check    exit 1, naming the files, when what is there is not what the code says
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from schemas import answers, authenticity, callers, entries, identities, messages, problems, sealed
from service.app import openapi_document
from tradeveil.describing.client_code import client_code
from tradeveil.describing.problems_page import problems_page

TOP = Path(__file__).resolve().parent.parent
ROOT = TOP / "schemas"

_MESSAGES: dict[str, Any] = {
    "registration-request": messages.RegistrationRequest,
    "financing-request": messages.FinancingRequest,
    "change-status": messages.ChangeStatusMessage,
    "amend": messages.AmendMessage,
    "overdrawn": messages.OverdrawnMessage,
    "steps-request": messages.StepsRequest,
    "view": messages.ViewMessage,
    "registration-answer": answers.RegistrationAnswer,
    "financing-answer": answers.FinancingAnswer,
    "batch-accepted": answers.BatchAccepted,
    "batch-page": answers.BatchPage,
    "batch-progress": answers.BatchProgress,
    "steps-answer": answers.StepsAnswer,
    "document-receipt": answers.DocumentReceipt,
    "document-status": answers.DocumentStatus,
    "owner-notice": answers.OwnerNotice,
    "document-view": answers.DocumentView,
    "evaluation-keys": authenticity.EvaluationKeys,
    "evaluation-request": authenticity.EvaluationRequest,
    "evaluation-answer": authenticity.EvaluationAnswer,
    "publication-request": authenticity.PublicationRequest,
    "publication-answer": authenticity.PublicationAnswer,
    "lookup-request": authenticity.LookupRequest,
    "lookup-answer": authenticity.LookupAnswer,
    "statuses-request": authenticity.StatusesRequest,
    "statuses-answer": authenticity.StatusesAnswer,
    "entries-page": answers.EntriesPage,
    "request-key-change": callers.RequestKeyChange,
    "request-key-answer": answers.RequestKeyAnswer,
    "alert": callers.AlertMessage,
    "alert-answer": answers.AlertAnswer,
    "alerts-page": answers.AlertsPage,
    "entry": entries.Entry,
    "problem": problems.Problem,
    "identity": identities.Identity,
    "sealed-file": sealed.SealedFile,
}


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def generate() -> dict[Path, str]:
    """Every generated file with its content."""
    document = openapi_document()
    files = {
        ROOT / "openapi.json": _pretty(document),
        TOP / "docs" / "PROBLEMS.md": problems_page(document),
        TOP / "parties" / "common" / "api.py": client_code(document),
    }
    for name, message in _MESSAGES.items():
        schema = TypeAdapter(message).json_schema(mode="validation")
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:tradeveil:schema:{name}", **schema}
        files[ROOT / "json" / f"{name}.json"] = _pretty(schema)
    return files


def drift() -> list[str]:
    """Names of generated files that are missing, stale or not ours."""
    files = generate()
    wrong = [path for path, content in files.items() if not path.exists() or path.read_text("utf-8") != content]
    wrong += [path for path in (ROOT / "json").glob("*.json") if path not in files]
    return sorted(str(path.relative_to(ROOT.parent)) for path in wrong)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the JSON Schemas and the OpenAPI description.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not what the code says")
    if parser.parse_args(arguments).check:
        stale = drift()
        for name in stale:
            print(f"stale: {name} (run: make schemas)", file=sys.stderr)
        return 1 if stale else 0
    (ROOT / "json").mkdir(exist_ok=True)
    for path, content in generate().items():
        path.write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
