"""Data classes whose definition costs next to nothing: the standard library's, made late.

``dataclasses`` writes and compiles six functions for each class when a module is imported,
half a millisecond for a class; a hundred classes would take longer than the rest of the start.
Here classes share those functions, and ``__init__``, the only one that is worth compiling, is
compiled when the first object is made. Type checkers are shown the standard library's, and its
``fields``, ``replace`` and ``asdict`` take these classes, too.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_T = TypeVar("_T")

_MISSING: Final[Any] = object()
# Of each class, by the attribute of that name: its fields in order, with those of its bases.
_FIELDS: Final = "_record_fields"


class _Field(NamedTuple):
    """What is known of a field; the defaults and the rest as in ``dataclasses.field``."""

    name: str = ""
    annotation: str = ""
    default: Any = _MISSING
    default_factory: Any = _MISSING
    repr: bool = True
    compare: bool = True
    hash: bool = True
    kw_only: bool = False


def _field(
    *,
    default: object = _MISSING,
    default_factory: object = _MISSING,
    repr: bool = True,  # noqa: A002
    compare: bool = True,
    hash: bool = True,  # noqa: A002
) -> object:
    return _Field(
        default=default, default_factory=default_factory, repr=repr, compare=compare, hash=hash
    )


def _dataclass(
    *, frozen: bool = False, slots: bool, kw_only: bool = False, order: bool = False
) -> Callable[[type[_T]], type[_T]]:
    # Every class of this package has slots: it is written so that readers see it.
    assert slots

    def make(cls: type[_T]) -> type[_T]:
        return _made(cls, frozen=frozen, kw_only=kw_only, order=order)

    return make


def _made(cls: type[_T], *, frozen: bool, kw_only: bool, order: bool) -> type[_T]:
    inherited: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= getattr(base, _FIELDS, {})
    own = {field.name: field for field in _declared(cls, kw_only=kw_only)}
    fields = inherited | own
    left = {*own, "__dict__", "__weakref__"}
    namespace = {name: value for name, value in vars(cls).items() if name not in left}
    shared = _shared(fields.values(), frozen=frozen, order=order)
    namespace = shared | namespace | {_FIELDS: fields}
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    namespace["__dataclass_fields__"] = _STANDARD
    namespace["__match_args__"] = tuple(f.name for f in fields.values() if not f.kw_only)
    # Slots are given to a class when it is made.
    made: Any = type(cls)(cls.__name__, cls.__bases__, namespace)  # type: ignore[misc]
    made.__qualname__ = cls.__qualname__

    def first_init(self: object, /, *args: object, **kwargs: object) -> None:
        # From now on the class has its own.
        made.__init__ = init = _compiled_init(made)
        init(self, *args, **kwargs)

    made.__init__ = first_init
    return made  # type: ignore[no-any-return]


def _declared(cls: type, *, kw_only: bool) -> Iterator[_Field]:
    for name, annotation in cls.__annotations__.items():
        default = vars(cls).get(name, _MISSING)
        field = default if isinstance(default, _Field) else _Field(default=default)
        yield field._replace(name=name, annotation=annotation, kw_only=kw_only)


def _key(names: Sequence[str]) -> Callable[[Any], Any]:
    """Return what takes the values of some fields from an object."""
    return operator.attrgetter(*names) if names else lambda _: ()


def _shared(fields: Iterable[_Field], *, frozen: bool, order: bool) -> dict[str, Any]:
    """Return the functions that differ from class to class in what they compare at most."""
    compared = [field for field in fields if field.compare]
    key = _key([field.name for field in compared])
    hashed = _key([field.name for field in compared if field.hash])

    def equal(self: object, other: object) -> bool:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    functions: dict[str, Any] = {"__repr__": _repr, "__eq__": equal, "__hash__": None}
    if frozen:
        functions |= {
            "__hash__": lambda self: hash(hashed(self)),
            "__setattr__": _refuse_set,
            "__delattr__": _refuse_delete,
            # Copying and pickling would set attributes.
            "__getstate__": _state,
            "__setstate__": _restore,
        }
    if order:
        functions |= {
            f"__{name}__": _comparison(key, getattr(operator, name))
            for name in ("lt", "le", "gt", "ge")
        }
    return functions


def _comparison(
    key: Callable[[Any], Any], compare: Callable[[Any, Any], bool]
) -> Callable[[object, object], bool]:
    def compared(self: object, other: object) -> bool:
        return (
            compare(key(self), key(other)) if other.__class__ is self.__class__ else NotImplemented
        )

    return compared


def _compiled_init(cls: type) -> Callable[..., None]:
    fields: dict[str, _Field] = getattr(cls, _FIELDS)
    names: dict[str, Any] = {"_missing": _MISSING}
    positional = ["self"]
    keywords: list[str] = []
    body = ["pass"]
    for name, field in fields.items():
        # The descriptor of the slot: of frozen classes, too.
        names[f"_set_{name}"] = getattr(cls, name).__set__
        value = name
        text = name
        if field.default_factory is not _MISSING:
            names[f"_make_{name}"] = field.default_factory
            text = f"{name}=_missing"
            value = f"_make_{name}() if {name} is _missing else {name}"
        elif field.default is not _MISSING:
            names[f"_default_{name}"] = field.default
            text = f"{name}=_default_{name}"
        (keywords if field.kw_only else positional).append(text)
        body.append(f"_set_{name}(self, {value})")
    parameters = ", ".join([*positional, *(["*", *keywords] if keywords else [])])
    # Only names of fields, which are Python's own identifiers, come into it.
    exec(f"def __init__({parameters}):\n " + "\n ".join(body), names)  # noqa: S102
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _repr(self: object) -> str:
    fields: dict[str, _Field] = getattr(self, _FIELDS)
    shown = (f"{name}={getattr(self, name)!r}" for name, field in fields.items() if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_set(_self: object, name: str, _value: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_self: object, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: object) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def _restore(self: object, state: list[Any]) -> None:
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


class _Standard:
    """The fields as the standard library describes them, made when it asks for them."""

    def __get__(self, _instance: object, cls: type) -> dict[str, Any]:
        import dataclasses

        def described(field: _Field) -> object:
            options: dict[str, Any] = {
                "repr": field.repr,
                "compare": field.compare,
                "hash": None if field.hash else False,
            }
            if field.default is not _MISSING:
                options["default"] = field.default
            if field.default_factory is not _MISSING:
                options["default_factory"] = field.default_factory
            return dataclasses.field(kw_only=field.kw_only, **options)

        rows: Any = [
            (field.name, field.annotation, described(field))
            for field in getattr(cls, _FIELDS).values()
        ]
        made: Any = dataclasses.make_dataclass(cls.__name__, rows)
        return dict(made.__dataclass_fields__)


_STANDARD: Final = _Standard()


def _replace(obj: _T, /, **changes: object) -> _T:
    kept = {name: getattr(obj, name) for name in getattr(obj, _FIELDS) if name not in changes}
    return type(obj)(**kept, **changes)


def _asdict(obj: object) -> dict[str, Any]:
    return {name: _plain(getattr(obj, name)) for name in getattr(obj, _FIELDS)}


def _plain(value: object) -> object:
    if hasattr(type(value), _FIELDS):
        return _asdict(value)
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(name): _plain(row) for name, row in value.items()}
    return value


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, replace
else:
    asdict, dataclass, field, replace = _asdict, _dataclass, _field, _replace

__all__ = ["asdict", "dataclass", "field", "replace"]
