"""The W3C DID document that a version of a DID stands for (DID Core 1.0 §5)."""

from datetime import UTC, datetime

from registry.core.did import PURPOSES
from registry.core.did_record import DidRecord
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")


def did_document(record: DidRecord) -> JsonObject:
    """The document of this version: Multikeys under absolute ids, each in one relationship.

    Recovery keys and key commitments are matters of the ledger alone and are not in it. The
    document of a deactivated DID has its id and nothing else.
    """
    did, details = record.did, record.details
    document: JsonObject = {"@context": list(CONTEXTS), "id": did}
    if details.also_known_as:
        document["alsoKnownAs"] = list(details.also_known_as)
    if details.verification_methods:
        document["verificationMethod"] = [
            {
                "id": f"{did}#{method.fragment}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": method.key.multikey,
            }
            for method in details.verification_methods
        ]
    for purpose in sorted(PURPOSES):
        ids = [f"{did}#{m.fragment}" for m in details.verification_methods if m.purpose == purpose]
        if ids:
            document[purpose] = ids
    if details.services:
        document["service"] = [
            {
                "id": f"{did}#{service.fragment}",
                "type": service.type,
                "serviceEndpoint": service.endpoint,
            }
            for service in details.services
        ]
    return document


def document_metadata(record: DidRecord, *, following: DidRecord | None = None) -> JsonObject:
    """`didDocumentMetadata` of this version (DID Resolution §4.3).

    Args:
        following: the version after this one, when there is one.

    Raises:
        Malformed: a time beyond the year 9999.
    """
    metadata: JsonObject = {
        "created": _utc(record.created_time),
        "versionId": str(record.version),
    }
    if record.version > 1:
        metadata["updated"] = _utc(record.time)
    if record.deactivated:
        metadata["deactivated"] = True
    if following is not None:
        metadata["nextUpdate"] = _utc(following.time)
        metadata["nextVersionId"] = str(following.version)
    return metadata


def _utc(seconds: int) -> str:
    """Unix seconds as an XML dateTime in UTC without fraction."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed("time is beyond the calendar") from error
    # `strftime` would leave out leading zeros of the year on some platforms.
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
