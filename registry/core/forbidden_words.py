"""What no credential may say about a person, as a table of the words that would name it.

A tripwire and not a judge: a schema is public and immutable, its author is accountable for it, and
this table stops what names itself. Words are English and Chinese. `*`, at the end, stands for any
ending; a space separates words that follow each other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "genetic data": (
        "gene",
        "genes",
        "genetic*",
        "genom*",
        "genotyp*",
        "dna",
        "chromosom*",
        "haplotyp*",
        "heredit*",
        "基因",
        "遗传",
        "染色体",
        "脱氧核糖核酸",
    ),
    "biometric templates": (
        "biometric*",
        "fingerprint*",
        "faceprint*",
        "voiceprint*",
        "palmprint*",
        "iris",
        "retina*",
        "minutia*",
        "gait",
        "vein pattern*",
        "face template*",
        "facial template*",
        "face embedding*",
        "facial embedding*",
        "生物特征",
        "生物识别",
        "指纹",
        "掌纹",
        "声纹",
        "虹膜",
        "视网膜",
        "人脸特征",
        "面部特征",
        "步态",
    ),
    "political opinion": (
        "politic*",
        "ideolog*",
        "party member*",
        "party affiliation*",
        "voting record*",
        "voting intention*",
        "政治",
        "政见",
        "党员",
        "党派",
        "入党",
        "意识形态",
    ),
    "religion": (
        "religio*",
        "faith",
        "creed",
        "worship*",
        "church member*",
        "宗教",
        "信仰",
        "教派",
        "教徒",
    ),
    "trade union membership": (
        "trade union*",
        "trades union*",
        "labour union*",
        "labor union*",
        "union member*",
        "unionist*",
        "工会",
    ),
    "health diagnoses": (
        "diagnos*",
        "disease*",
        "illness*",
        "icd",
        "hiv",
        "psychiatr*",
        "pregnan*",
        "mental health",
        "medical condition*",
        "medical histor*",
        "medical record*",
        "health condition*",
        "health histor*",
        "health record*",
        "health status",
        "诊断",
        "疾病",
        "病史",
        "病历",
        "病情",
        "艾滋",
        "精神病",
        "怀孕",
        "健康状况",
    ),
    "sexual life": (
        "sexual*",
        "homosexual*",
        "bisexual*",
        "heterosexual*",
        "sex life",
        "性取向",
        "性生活",
        "性向",
        "同性恋",
    ),
    "social scoring": (
        "loyalt*",
        "social score*",
        "social scoring",
        "social credit*",
        "social rating*",
        "citizen score*",
        "trust score*",
        "behaviour score*",
        "behavior score*",
        "reputation*",
        "trustworthiness",
        "忠诚",
        "社会信用",
        "社会评分",
        "信用分",
        "信用评分",
        "诚信分",
        "诚信等级",
    ),
}

# The number of a company in China, whose official name contains a forbidden one.
_ALLOWED = (
    re.compile(r"\bunified social credit (?:code|identifier)\b"),
    re.compile("统一社会信用代码"),
)

_RUN_TOGETHER = 7  # letters from which a word is found inside a name without separators
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HAN = re.compile("[\u3400-\u9fff]")
_MIXED_SCRIPT = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
# Written out, because Python's own Unicode tables differ between its versions.
_ACCENTED = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝ"
_PLAIN = "aaaaaaceeeeiiiinooooouuuuyyaaaaaaceeeeiiiinooooouuuuy"
_FOLD = {
    **{ord(letter): plain for letter, plain in zip(_ACCENTED, _PLAIN, strict=True)},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full-width ASCII
}
_LOWER = {code: chr(code + 32) for code in range(ord("A"), ord("Z") + 1)}


def forbidden_category(text: str, *, is_name: bool) -> str | None:
    """The category that a text names, or None.

    Args:
        is_name: the text is the name of a member, in which words may run together
            (`bloodDiagnosis`, `mydiagnosis`).
    """
    folded = _CAMEL.sub(" ", text.translate(_FOLD)).translate(_LOWER)
    folded = " ".join(re.findall("[a-z]+|[\u3400-\u9fff]+", folded))
    for allowed in _ALLOWED:
        folded = allowed.sub(" ", folded)
    words = re.findall("[a-z]+", folded)
    han = "".join(_HAN.findall(folded))
    line = f" {' '.join(words)} "
    run_together = "".join(words) if is_name else ""
    for category, marks in _MARKS.items():
        if (
            any(mark in line for mark in marks.words)
            or any(mark in run_together for mark in marks.letters)
            or any(mark in han for mark in marks.han)
        ):
            return category
    return None


def mixes_scripts(text: str) -> bool:
    """Whether a word has Latin next to Cyrillic or Greek letters, as only a disguise does."""
    return _MIXED_SCRIPT.search(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """What to look for, each as a plain text: every name of every schema is held to all of them."""

    words: tuple[str, ...]  # in words between single spaces, with one at either end
    letters: tuple[str, ...]  # in words that run together
    han: tuple[str, ...]  # in Chinese characters


def _marks(entries: Sequence[str]) -> _Marks:
    latin = [entry for entry in entries if not _HAN.match(entry)]
    if any("*" in entry[:-1] for entry in latin):
        raise ValueError("a star stands at the end of an entry only")
    letters = [entry.removesuffix("*").replace(" ", "") for entry in latin]
    return _Marks(
        words=tuple(f" {entry[:-1]}" if entry.endswith("*") else f" {entry} " for entry in latin),
        letters=tuple(item for item in letters if len(item) >= _RUN_TOGETHER),
        han=tuple(entry for entry in entries if _HAN.match(entry)),
    )


_MARKS = {category: _marks(entries) for category, entries in FORBIDDEN.items()}
