"""The page on which a citizen identifies herself: words, template, and its security headers."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined, Template, select_autoescape

from identity.core.authorization import MAX_TRIES, redirect_source, redirect_target
from identity.core.credential_types import CredentialType
from identity.core.parties import Agency
from identity.issuer.flow_records import Authorization

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Confirm that it is you",
        "card": "You asked for",
        "goes_to": "The answer goes to",
        "careful": "Go on only if you started this yourself, in your own wallet. "
        "The agency never sends you a link to this page.",
        "code": "Code from the agency",
        "code_hint": "Twelve letters and digits that you were given at the counter or by letter.",
        "birth_date": "Date of birth",
        "go_on": "Continue",
        "cancel": "Cancel",
        "wrong": "The code and the date of birth do not belong together, or the code was used.",
        "left": "Tries left: {}",
        "gone": "This request has ended, was answered, or is open in another browser.",
        "start_again": "Go back to your wallet and start again.",
        "other": "zh",
        "other_name": "中文",
    },
    "zh": {
        "title": "确认您的身份",
        "card": "您申请的是",
        "goes_to": "结果将发送至",
        "careful": "仅当此操作由您本人在自己的钱包中发起时才继续。机构绝不会向您发送此页面的链接。",
        "code": "机构给您的验证码",
        "code_hint": "在窗口领取或通过信件收到的十二位字母和数字。",
        "birth_date": "出生日期",
        "go_on": "继续",
        "cancel": "取消",
        "wrong": "验证码与出生日期不符，或验证码已被使用。",
        "left": "剩余次数：{}",
        "gone": "此请求已结束、已答复，或已在另一个浏览器中打开。",
        "start_again": "请返回钱包重新开始。",
        "other": "en",
        "other_name": "English",
    },
}


def choose_language(wanted: str | None, accept: str) -> str:
    """The language that was chosen on the page, else the first of ours that the browser names."""
    if wanted is not None and wanted in WORDS:
        return wanted
    for item in accept.split(","):
        tag = item.partition(";")[0].strip().lower().partition("-")[0]
        if tag in WORDS:
            return tag
    return "en"


def render_page(
    agency: Agency,
    kind: CredentialType,
    authorization: Authorization,
    *,
    request_uri: str,
    form: str,
    language: str,
    wrong: bool,
) -> str:
    """The page of an open request."""
    words = WORDS[language]
    query = {
        "client_id": authorization.client_id,
        "request_uri": request_uri,
        "lang": words["other"],
    }
    return _template().render(
        language=language,
        words=words,
        agency=_text(agency.name, language),
        card=_text(kind.display["name"], language),
        target=redirect_target(authorization.redirect_uri),
        action=f"{agency.issuer_url}/authorize",
        style=f"{agency.issuer_url}/authorize/style.css",
        other_language=f"{agency.issuer_url}/authorize?{urlencode(query)}",
        request_uri=request_uri,
        form=form,
        wrong=wrong,
        left=max(0, MAX_TRIES - authorization.tries - 1),
        gone=False,
    )


def render_gone(agency: Agency, *, language: str) -> str:
    """The page of a request that is no more, without anything that was sent."""
    return _template().render(
        language=language,
        words=WORDS[language],
        agency=_text(agency.name, language),
        style=f"{agency.issuer_url}/authorize/style.css",
        other_language=None,
        gone=True,
    )


def page_headers(authorization: Authorization | None) -> dict[str, str]:
    """Nothing is loaded but our style, and the form leads here and back to the wallet alone."""
    back = "" if authorization is None else f" {redirect_source(authorization.redirect_uri)}"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"form-action 'self'{back}; base-uri 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
    }


@cache
def style_sheet() -> bytes:
    """The style of the page."""
    return (files("identity.issuer") / "pages" / "authorize.css").read_bytes()


@cache
def _template() -> Template:
    text = (files("identity.issuer") / "pages" / "authorize.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(text)


def _text(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("en") or next(iter(texts.values()))
