"""What cells showed, kept within bounds and made harmless for the pages that show it."""

from __future__ import annotations

import html
import re
from typing import Any

from helpers.grading.judge import Verdict

MOST_OUTPUTS = 100  # of one cell
MOST_PICTURE = 2_000_000  # characters
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_IMAGE = re.compile(r'<img[^>]*?src="data:(image/png);base64,([A-Za-z0-9+/=\s]*)"[^>]*>')
_ALT = re.compile(r'alt="([^"]*)"')


class Outputs:
    """The outputs of one cell, as messages bring them: text and pictures, up to a length."""

    def __init__(self, most_bytes: int) -> None:
        self.cells: list[dict[str, Any]] = []
        self.cut = False
        self._left = most_bytes

    def add(self, message: dict[str, Any]) -> None:
        """Keep what a message of the kernel shows."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self.cells.clear()
        elif kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            self._text(name, str(content.get("text", "")))
        elif kind == "error":
            error = f"{content.get('ename', '')}: {content.get('evalue', '')}"
            lines = [str(line) for line in content.get("traceback", [])][:100]
            text = self._fit(plain_text("\n".join(lines) or error))
            self._append(
                {
                    "output_type": "error",
                    "ename": plain_text(str(content.get("ename", "")))[:200],
                    "evalue": plain_text(str(content.get("evalue", "")))[:2000],
                    "traceback": text.split("\n"),
                }
            )
        else:
            data = content.get("data")
            kept = self._data(data if isinstance(data, dict) else {})
            if kept:
                self._append({"output_type": "display_data", "metadata": {}, "data": kept})

    def note(self, text: str) -> None:
        """Add a sentence of the grader's own."""
        self.cells.append(
            {"output_type": "stream", "name": "stderr", "text": f"\nGrading: {text}.\n"}
        )

    def _append(self, output: dict[str, Any]) -> None:
        if len(self.cells) < MOST_OUTPUTS:
            self.cells.append(output)
        else:
            self.cut = True

    def _fit(self, text: str) -> str:
        if len(text) > self._left:
            self.cut = True
            text = text[: self._left]
        self._left -= len(text)
        return text

    def _text(self, name: str, text: str) -> None:
        text = self._fit(text)
        if not text:
            return
        last = self.cells[-1] if self.cells else {}
        if last.get("name") == name:
            last["text"] = _overwritten(last["text"] + text)
        else:
            self._append({"output_type": "stream", "name": name, "text": _overwritten(text)})

    def _data(self, data: dict[str, Any]) -> dict[str, Any]:
        kept = {}
        for kind in ("image/png", "image/jpeg"):
            picture = data.get(kind)
            if isinstance(picture, str) and _is_picture(picture):
                kept[kind] = picture
        page = data.get("text/html")
        match = _IMAGE.search(page) if isinstance(page, str) and len(page) < MOST_PICTURE else None
        if match and not kept:
            kept["image/png"] = match[2]
            alt = _ALT.search(match[0])
            if alt:
                kept["text/plain"] = self._fit(plain_text(html.unescape(alt[1])))
                return kept
        text = data.get("text/plain")
        if isinstance(text, str):
            kept["text/plain"] = self._fit(plain_text(text))
        return kept


def _is_picture(text: str) -> bool:
    return len(text) < MOST_PICTURE and _BASE64.fullmatch(text) is not None


def _overwritten(text: str) -> str:
    """Return what a terminal would show where lines are written over each other."""
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return plain_text("\n".join(lines))


def plain_text(text: str) -> str:
    """Return a text without colors, with other control characters made visible."""
    return _CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", _ANSI.sub("", text))


def shown(verdict: Verdict) -> list[dict[str, Any]]:
    """Return a verdict as the outputs from which nbgrader takes the points of a test.

    There is always one from which it takes them: an error, or a number.
    """
    outputs: list[dict[str, Any]] = []
    if verdict.said:
        text = plain_text(verdict.said)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if verdict.error:
        name, _, text = verdict.error.partition(": ")
        outputs.append(
            {
                "output_type": "error",
                "ename": plain_text(name),
                "evalue": plain_text(text),
                "traceback": plain_text(verdict.error).split("\n"),
            }
        )
    else:
        data = {"text/plain": repr(float(verdict.points))}
        outputs.append(
            {"output_type": "execute_result", "metadata": {}, "execution_count": None, "data": data}
        )
    return outputs
