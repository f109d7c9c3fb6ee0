"""A camera for Chromium: a motion JPEG file, with a QR code held into it."""

from io import BytesIO
from pathlib import Path

import qrcode
from PIL import Image

WIDTH, HEIGHT = 1280, 720
FRAMES = 30  # a second of video, repeated for ever


def code_image(text: str) -> Image.Image:
    """The QR code of `text`, as a printer would make it."""
    code = qrcode.QRCode(border=4, box_size=6)
    code.add_data(text)
    drawn: Image.Image = code.make_image().get_image().convert("RGB")
    return drawn


def hold_into(video: Path, picture: Image.Image) -> None:
    """Make the camera see `picture` on a desk; it must be the size of a code on a screen."""
    scene = Image.new("RGB", (WIDTH, HEIGHT), (96, 88, 80))
    side = min(HEIGHT - 80, 620)
    held = picture.resize((side, side * picture.height // picture.width)).rotate(
        3, expand=True, fillcolor=(96, 88, 80)
    )
    scene.paste(held, ((WIDTH - held.width) // 2, (HEIGHT - held.height) // 2))
    frame = BytesIO()
    scene.save(frame, "JPEG", quality=85)
    fresh = video.with_suffix(".new")
    fresh.write_bytes(frame.getvalue() * FRAMES)
    fresh.replace(video)  # the next start of the camera reads the new scene
