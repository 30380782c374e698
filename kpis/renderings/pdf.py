"""What every PDF has in common: paper, Japanese type, the head and foot of each page, tables that repeat their head.

Without a font file (settings.PDF_FONT) the type is Heisei Kaku Gothic of the PDF standard: it is named in the file and
every reader sets it with a Japanese font of its own, so nothing has to be installed here.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A3, A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, LongTable, PageTemplate, Paragraph, TableStyle

PAPERS = {"A3": landscape(A3), "A4": landscape(A4)}
STANDARD_FONT, OWN_FONT = "HeiseiKakuGo-W5", "MawaruOwn"
MARGIN, HEAD_HEIGHT, FOOT_HEIGHT = 12 * mm, 14 * mm, 8 * mm
INK, FAINT, LINE = HexColor("#1F2328"), HexColor("#6B727A"), HexColor("#CDC6B8")
HEAD_FILL, TOTAL_FILL, BORDER = HexColor("#E9EFF6"), HexColor("#F4F1EA"), HexColor("#1F4E79")


@dataclass(frozen=True)
class PageHead:
    """What stands above every page: company, title, period, when the data is of, and the stamp (速報, 確定, or "")."""

    company: str
    title: str
    period: str
    as_of: str
    stamp: str = ""


@cache
def font() -> str:
    """The name of the type that all text is set in, registered on first use."""
    path = settings.PDF_FONT
    if path and Path(path).is_file():
        pdfmetrics.registerFont(TTFont(OWN_FONT, path))
        return OWN_FONT
    pdfmetrics.registerFont(UnicodeCIDFont(STANDARD_FONT))
    return STANDARD_FONT


def render_pdf(content: Sequence[Flowable], head: PageHead, *, paper: str) -> bytes:
    """The pages, each with head and "page / of"."""
    stream = io.BytesIO()
    size = PAPERS[paper]
    document = BaseDocTemplate(
        stream,
        pagesize=size,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN + HEAD_HEIGHT,
        bottomMargin=MARGIN + FOOT_HEIGHT,
        title=f"{head.title} {head.period}",
        author=head.company,
    )
    frame = Frame(
        MARGIN,
        MARGIN + FOOT_HEIGHT,
        size[0] - 2 * MARGIN,
        size[1] - 2 * MARGIN - HEAD_HEIGHT - FOOT_HEIGHT,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )
    document.addPageTemplates([PageTemplate(frames=[frame])])
    document.build(list(content), canvasmaker=_numbered(head))
    return stream.getvalue()


def table(rows: Sequence[Sequence[Any]], widths: Sequence[float], *, head_rows: int = 1, style: Any = ()) -> LongTable:
    """A table that repeats its head on every page; `style` are commands of reportlab that come last."""
    commands = [
        ("FONT", (0, 0), (-1, -1), font(), 7.5),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("BACKGROUND", (0, 0), (-1, head_rows - 1), HEAD_FILL),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    return LongTable(
        [list(row) for row in rows], colWidths=widths, repeatRows=head_rows, style=TableStyle([*commands, *style])
    )


def text(words: str, *, size: float = 7.5, right: bool = False, indent: float = 0) -> Paragraph:
    """Text that breaks within its cell, also within Japanese words."""
    style = ParagraphStyle(
        "cell",
        fontName=font(),
        fontSize=size,
        leading=size * 1.35,
        textColor=INK,
        wordWrap="CJK",
        leftIndent=indent,
        alignment=TA_RIGHT if right else 0,
    )
    return Paragraph(escape(words), style)


def usable_width(paper: str) -> float:
    """The width between the margins, in points."""
    return PAPERS[paper][0] - 2 * MARGIN


def _numbered(head: PageHead) -> Callable[..., Canvas]:
    """A canvas that knows at the end how many pages there are."""

    class NumberedCanvas(Canvas):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            count = len(self._pages)
            for page in self._pages:
                self.__dict__.update(page)
                _draw_frame(self, head, self._pageNumber, count)
                super().showPage()
            super().save()

    return NumberedCanvas


def _draw_frame(canvas: Canvas, head: PageHead, number: int, count: int) -> None:
    width, height = canvas._pagesize
    top = height - MARGIN
    canvas.setFillColor(INK)
    canvas.setFont(font(), 13)
    canvas.drawString(MARGIN, top - 12, head.title)
    canvas.setFont(font(), 9)
    canvas.drawString(MARGIN, top - 26, head.period)
    canvas.drawRightString(width - MARGIN, top - 12, head.company)
    canvas.setFillColor(FAINT)
    canvas.drawRightString(width - MARGIN, top - 26, head.as_of)
    if head.stamp:
        start = MARGIN + pdfmetrics.stringWidth(head.title, font(), 13) + 10
        length = pdfmetrics.stringWidth(head.stamp, font(), 9) + 10
        canvas.setStrokeColor(BORDER)
        canvas.setFillColor(BORDER)
        canvas.roundRect(start, top - 15, length, 14, 3)
        canvas.setFont(font(), 9)
        canvas.drawCentredString(start + length / 2, top - 11, head.stamp)
    canvas.setFillColor(FAINT)
    canvas.setFont(font(), 8)
    canvas.drawCentredString(width / 2, MARGIN, f"{number} / {count}")
