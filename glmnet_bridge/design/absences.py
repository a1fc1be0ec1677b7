"""Absences: what a fit that was read from a file knows of its rows, which the file does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from glmnet_bridge.errors import DataError

PARTS = ("trials", "prior_weights", "freq_weights", "offset")


def no_rows() -> DataError:
    """Why this cannot be answered, and what can be done."""
    return DataError(
        "This fit was read from a file, which holds no rows, and rows are needed here. Give data= where the method "
        "takes it, or fit.with_data(frame) with the rows of the fit."
    )


class Gone:
    """An argument of the fit, one number per row: that it was given is known, its numbers are not."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise no_rows()

    def __getitem__(self, at: Any) -> NoReturn:
        raise no_rows()

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise no_rows()


@dataclass(frozen=True, slots=True)
class Absent:
    """In the place of a `Sample`: how many rows there were, and what came with them.

    Attributes
    ----------
    n, n_read : rows used, and rows of the data
    dropped : missing values by column (or argument)
    given : which of `PARTS` each row had
    """

    n: int
    n_read: int
    dropped: dict[str, int]
    given: tuple[str, ...]

    @classmethod
    def of(cls, sample: Any) -> Absent:
        """What stays known of a sample."""
        given = tuple(name for name in PARTS if getattr(sample, name) is not None)
        return cls(sample.n, sample.n_read, dict(sample.dropped), given)

    @property
    def trials(self) -> Gone | None:
        return self._part("trials")

    @property
    def prior_weights(self) -> Gone | None:
        return self._part("prior_weights")

    @property
    def freq_weights(self) -> Gone | None:
        return self._part("freq_weights")

    @property
    def offset(self) -> Gone | None:
        return self._part("offset")

    @property
    def source(self) -> NoReturn:
        raise no_rows()

    response = index = kept = weights = source

    def _part(self, name: str) -> Gone | None:
        return Gone() if name in self.given else None
