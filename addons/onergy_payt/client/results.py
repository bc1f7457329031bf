"""Answers of bulk calls, and which record each complaint belongs to."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class UploadSlot:
    """Where to put a file that Payt does not have yet."""

    checksum: str
    url: str
    expires_at: datetime | None

    def __repr__(self):
        # The address is a credential: whoever has it may write there.
        return f"UploadSlot(checksum={self.checksum[:8]}…)"


@dataclass
class Attribution:
    """Complaints of a bulk answer, per record of ours.

    ``unmapped`` holds those that name no record we sent: the caller cannot tell which
    records went through and has to send them one by one.
    """

    errors: dict = field(default_factory=dict)
    warnings: dict = field(default_factory=dict)
    unmapped: list = field(default_factory=list)


@dataclass(frozen=True)
class BulkResult:
    """Answer to a bulk write; ``count`` is None when Payt sent an empty answer."""

    count: int | None
    errors: dict
    warnings: dict

    @classmethod
    def from_payload(cls, payload):
        if not isinstance(payload, dict):
            return cls(None, {}, {})
        return cls(
            payload.get("count"),
            _as_lists(payload.get("errors")),
            _as_lists(payload.get("warnings")),
        )

    def attribute(self, names):
        """Say which of our records each complaint is about.

        :param names: every text by which Payt may call a record → that record. Payt's
            keys "identify the record or the type of failure": ``{"2026/1": [text]}``
            and ``{"not_found": ["2026/1"]}`` both occur.
        """
        outcome = Attribution()
        for source, target in (
            (self.errors, outcome.errors),
            (self.warnings, outcome.warnings),
        ):
            for key, texts in source.items():
                if key in names:
                    target.setdefault(names[key], []).extend(texts)
                elif texts and all(text in names for text in texts):
                    for text in texts:
                        target.setdefault(names[text], []).append(key)
                elif source is self.errors:
                    outcome.unmapped.append(f"{key}: {', '.join(texts)}")
        return outcome


def _as_lists(mapping):
    if not mapping:
        return {}
    if not isinstance(mapping, dict):
        return {"unknown": [str(mapping)]}
    return {
        str(key): [
            str(text) for text in (texts if isinstance(texts, list) else [texts])
        ]
        for key, texts in mapping.items()
    }
