"""What wallets get from the rendezvous."""

from pydantic import BaseModel


class WaitMessage(BaseModel):
    """A new wait: show `reference` in a QR code, poll with `secret`, show a new code in time."""

    reference: str
    secret: str
    expires_in: int


class LinkMessage(BaseModel):
    """The request that was left: an `openid4vp://` link."""

    link: str
