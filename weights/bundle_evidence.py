"""The `head.evidence` object of a bundle's manifest: which of the trunks' own classes mean a label.

The numbers that weigh them are in the head's file; here are positions in two public vocabularies.
"""

import dataclasses

from weights.bundle_spec import N_PICTURE_CLASSES, N_SOUND_CLASSES, EvidenceSpec, Lesson
from weights.errors import BundleError
from weights.manifest import Fields

MAX_LESSONS = 1000
MAX_TEXT = 300  # characters of when and from what
Classes = tuple[tuple[int, ...], ...]


def read_evidence(head: Fields, labels: tuple[str, ...], sound_trunk: str) -> EvidenceSpec | None:
    """Take `evidence` out of the head's object; None where there is none.

    Args:
        head: The object; its other keys stay.
        labels: The bundle's.
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
    sound = _classes(fields, "sound", len(labels), N_SOUND_CLASSES[sound_trunk])
    picture = _classes(fields, "picture", len(labels), N_PICTURE_CLASSES)
    lessons = _lessons(fields, labels) if fields.has("taught") else ()
    fields.end()
    learned = {lesson.label for lesson in lessons if not lesson.denies}
    for k, (label, own) in enumerate(zip(labels, sound, strict=True)):
        if not own and label not in learned:
            raise BundleError(
                f"{fields.where}: 'sound' must name one class or more of each label that was not "
                f"taught, label {k} has none"
            )
    return EvidenceSpec(sound=sound, picture=picture, lessons=lessons)


def evidence_manifest(evidence: EvidenceSpec | None) -> dict[str, object]:
    """Return what `read_evidence` reads back, as keys of the head's object."""
    if evidence is None:
        return {}
    classes = {"sound": evidence.sound, "picture": evidence.picture}
    told: dict[str, object] = {
        sense: [list(own) for own in each] for sense, each in classes.items()
    }
    if evidence.lessons:
        told["taught"] = [dataclasses.asdict(lesson) for lesson in evidence.lessons]
    return {"evidence": told}


def _lessons(fields: Fields, labels: tuple[str, ...]) -> tuple[Lesson, ...]:
    value = fields.take("taught")
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LESSONS:
        raise fields.wrong("taught", f"a list of 1 to {MAX_LESSONS} lessons", value)
    return tuple(_lesson(Fields(each, f"{fields.where}: taught"), labels) for each in value)


def _lesson(fields: Fields, labels: tuple[str, ...]) -> Lesson:
    label, made, origin = (fields.text(name) for name in ("label", "made", "origin"))
    denies = fields.take("denies")
    if label not in labels:
        raise fields.wrong("label", "one of the bundle's labels", label)
    if not isinstance(denies, bool):
        raise fields.wrong("denies", "true or false", denies)
    for name, text in (("made", made), ("origin", origin)):
        if len(text) > MAX_TEXT:
            raise fields.wrong(name, f"of up to {MAX_TEXT} characters", text)
    fields.end()
    return Lesson(label=label, denies=denies, made=made, origin=origin)


def _classes(fields: Fields, sense: str, n_labels: int, n_classes: int) -> Classes:
    value = fields.take(sense)
    rows = value if isinstance(value, list) else []
    if len(rows) != n_labels or not all(isinstance(row, list) for row in rows):
        raise fields.wrong(sense, f"a list of {n_labels} lists of classes, one a label", value)
    for row in rows:
        if not all(type(k) is int and 0 <= k < n_classes for k in row) or len(set(row)) < len(row):
            raise fields.wrong(sense, f"of classes from 0 to {n_classes - 1}, each once", row)
    return tuple(map(tuple, rows))
