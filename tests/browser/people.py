"""A citizen's phone and a relying party's phone: Chromium with a camera of its own."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    expect,
)

from tests.browser.camera import code_image, hold_into

CHROMIUM = "/usr/bin/chromium"
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 30_000
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class Device:
    """One device with one page, 390 by 844, and no camera: a context of a browser of others."""

    def __init__(
        self, browser: Browser, *, language: str = "en", permissions: Sequence[str] = ()
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport=PHONE, device_scale_factor=2, locale=language, permissions=[*permissions]
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.urls: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", lambda request: self.urls.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        # A receipt that is not sealed yet answers 404, and the browser calls that an error.
        waiting = "/receipts/" in message.location.get("url", "")
        if message.type == "error" and not waiting:
            self.errors.append(message.text)

    def at(self, name: str) -> Locator:
        """The element with this test id."""
        return self.page.get_by_test_id(name)

    def tap(self, name: str) -> None:
        """Tap the element with this test id."""
        self.at(name).first.click()

    def expect(self, name: str) -> Locator:
        """Wait until an element is there; the element."""
        found = self.at(name).first
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def picture(self, path: Path) -> None:
        """A screenshot."""
        self.page.screenshot(path=path)

    def close(self) -> None:
        """Switch it off."""
        self.context.close()


class Phone(Device):
    """A device with a browser of its own, and a camera that sees what is held into it."""

    def __init__(self, playwright: Playwright, folder: Path, *, language: str = "en") -> None:
        self._video = folder / "camera.mjpeg"
        hold_into(self._video, Image.new("RGB", (200, 200), "white"))
        self._browser: Browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, f"--use-file-for-fake-video-capture={self._video}"],
        )
        super().__init__(self._browser, language=language, permissions=["camera"])

    def see_text(self, text: str) -> None:
        """Hold a printed code of `text` before the camera."""
        hold_into(self._video, code_image(text))

    def see_screen(self, shown: Locator) -> None:
        """Hold another phone before the camera, showing `shown`."""
        hold_into(self._video, Image.open(BytesIO(shown.screenshot())).convert("RGB"))

    def close(self) -> None:
        """Switch it off."""
        self._browser.close()
