"""What notebooks hand over: the records that `scenebook.notebook.display` puts beside what Jupyter shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from scenebook.core.sentences import clean_text

RECORD_MIME = "application/vnd.scenebook+json"

Text = Annotated[str, AfterValidator(clean_text)]
Suffix = Literal["svg", "png", "jpg", "gif"]  # of the image files that a report is made of
Label = Annotated[str, Field(pattern=r"^[a-z]+:[a-z0-9-]+$")]


class _Record(BaseModel):
    # A newer notebook may tell more than this version asks for.
    model_config = ConfigDict(extra="ignore", frozen=True)


class FigureRecord(_Record):
    """One figure; the image itself lies beside the record in the output's data."""

    kind: Literal["figure"]
    label: Label
    caption: Text
    alt: Text
    wide: bool = False


class BarItem(_Record):
    """A probability under a photograph: `text` is how it reads, `is_true` marks the image's own class."""

    label: Text
    share: Annotated[float, Field(ge=0, le=1)]
    text: Text
    is_true: bool = False


class ImageItem(_Record):
    """One photograph of a grid. `jpeg` is base64."""

    jpeg: str
    caption: Text
    alt: Text
    bars: list[BarItem] = Field(default_factory=list)


class RowItem(_Record):
    """A heading within a grid, above the next `count` photographs."""

    heading: Text
    count: Annotated[int, Field(ge=1)]


class ImagesRecord(_Record):
    """A grid of photographs."""

    kind: Literal["images"]
    label: Label
    caption: Text
    alt: Text
    wide: bool = True
    columns: Annotated[int, Field(ge=1, le=12)] = 6
    items: list[ImageItem]
    rows: list[RowItem] = Field(default_factory=list)

    @model_validator(mode="after")
    def _rows_hold_all_items(self) -> ImagesRecord:
        if self.rows and sum(row.count for row in self.rows) != len(self.items):
            raise ValueError("rows hold another number of images than there are")
        return self


class TableRecord(_Record):
    """A table whose cells are formatted already."""

    kind: Literal["table"]
    label: Label
    caption: Text
    wide: bool = False
    header: list[Text]
    align: list[Literal["left", "right", "center"]]
    rows: list[list[Text]]


class SourcedText(_Record):
    """A number in a sentence and where it comes from; of one that the cell computed, its name there."""

    text: Text
    source: Text
    computed: bool = False


class SayRecord(_Record):
    """Sentences whose numbers come from artifacts."""

    kind: Literal["say"]
    markdown: Text
    sources: list[SourcedText] = Field(default_factory=list)


class SourceRecord(_Record):
    """The source of a function of the package."""

    kind: Literal["source"]
    name: Text
    code: Text


AnyRecord = Annotated[FigureRecord | ImagesRecord | TableRecord | SayRecord | SourceRecord, Field(discriminator="kind")]
