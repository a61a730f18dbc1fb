"""Long forms in groups that fold: what nobody has to fill in is out of the way until somebody wants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from django.forms import BoundField

from gateway.forms import PageForm


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    names: tuple[str, ...]
    hint: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class BoundGroup:
    title: str
    hint: str
    is_open: bool
    fields: list[BoundField]


class GroupedForm(PageForm):
    """Its fields by `GROUPS`; a group with an error is open."""

    GROUPS: ClassVar[tuple[Group, ...]]

    @property
    def groups(self) -> Iterator[BoundGroup]:
        for group in self.GROUPS:
            fields = [self[name] for name in group.names if name in self.fields]
            is_open = group.is_open or any(bound.errors for bound in fields)
            if fields:
                yield BoundGroup(group.title, group.hint, is_open, fields)
