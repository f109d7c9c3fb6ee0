"""Mobile documents, `mso_mdoc` (ISO/IEC 18013-5), as OpenID4VP by redirect presents them."""

from identity.core.mdoc.format import (
    MAX_MDOC_BYTES,
    MdocMalformed,
    SecurityObject,
    UnverifiedDocument,
    UnverifiedIssuerSigned,
    parse_device_response,
    parse_issuer_signed,
)
from identity.core.mdoc.making import DraftMdoc, draft_mdoc, present_mdoc, sign_mdoc
from identity.core.mdoc.session import Handover, session_transcript
from identity.core.mdoc.verifying import (
    MdocNotAccepted,
    verify_device_signed,
    verify_issuer_signed,
)

__all__ = [
    "MAX_MDOC_BYTES",
    "DraftMdoc",
    "Handover",
    "MdocMalformed",
    "MdocNotAccepted",
    "SecurityObject",
    "UnverifiedDocument",
    "UnverifiedIssuerSigned",
    "draft_mdoc",
    "parse_device_response",
    "parse_issuer_signed",
    "present_mdoc",
    "session_transcript",
    "sign_mdoc",
    "verify_device_signed",
    "verify_issuer_signed",
]
