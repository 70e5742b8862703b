"""The `head.evidence` object of a bundle's manifest: which of the trunks' own classes mean a label.

The numbers that weigh them are in the head's file; here are positions in two public vocabularies.
"""

from weights.bundle_spec import N_PICTURE_CLASSES, N_SOUND_CLASSES, EvidenceSpec
from weights.errors import BundleError
from weights.manifest import Fields

Classes = tuple[tuple[int, ...], ...]


def read_evidence(head: Fields, n_labels: int, sound_trunk: str) -> EvidenceSpec | None:
    """Take `evidence` out of the head's object; None where there is none.

    Args:
        head: The object; its other keys stay.
        n_labels: Of the bundle.
        sound_trunk: The sound trunk's name; one without classes has no evidence.

    Raises:
        BundleError: One sentence that says what is wrong.
    """
    if not head.has("evidence"):
        return None
    if sound_trunk not in N_SOUND_CLASSES:
        known = " or ".join(N_SOUND_CLASSES)
        raise head.wrong("evidence", f"left out, or the sound trunk {known}", sound_trunk)
    fields = head.nested("evidence")
    sound = _classes(fields, "sound", n_labels, N_SOUND_CLASSES[sound_trunk])
    picture = _classes(fields, "picture", n_labels, N_PICTURE_CLASSES)
    fields.end()
    if not all(sound):
        raise BundleError(
            f"{fields.where}: 'sound' must name one class or more of each label, "
            f"label {next(k for k, own in enumerate(sound) if not own)} has none"
        )
    return EvidenceSpec(sound=sound, picture=picture)


def evidence_manifest(evidence: EvidenceSpec | None) -> dict[str, object]:
    """Return what `read_evidence` reads back, as keys of the head's object."""
    if evidence is None:
        return {}
    classes = {"sound": evidence.sound, "picture": evidence.picture}
    return {"evidence": {sense: [list(own) for own in each] for sense, each in classes.items()}}


def _classes(fields: Fields, sense: str, n_labels: int, n_classes: int) -> Classes:
    value = fields.take(sense)
    rows = value if isinstance(value, list) else []
    if len(rows) != n_labels or not all(isinstance(row, list) for row in rows):
        raise fields.wrong(sense, f"a list of {n_labels} lists of classes, one a label", value)
    for row in rows:
        if not all(type(k) is int and 0 <= k < n_classes for k in row) or len(set(row)) < len(row):
            raise fields.wrong(sense, f"of classes from 0 to {n_classes - 1}, each once", row)
    return tuple(map(tuple, rows))
