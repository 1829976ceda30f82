"""Training configurations: YAML files read into dataclasses, with one sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mewm.errors import InputError, ResourceError, first_line, how_to_install

T = TypeVar("T")


def require_from(settings: Any, section: str, **lowest: float) -> None:
    """Refuse numbers that are too low.

    Args:
        settings: a dataclass of settings.
        section: its name in the configuration, for the user.
        lowest: lowest value by name of the setting.

    Raises:
        InputError: one is lower.
    """
    for name, low in lowest.items():
        if (value := getattr(settings, name)) < low:
            raise InputError(f"The setting {name!r} of {section} is {value:g}; give a number from {low:g} on.")


def require_figure(name: str, figures: Sequence[str]) -> None:
    """Refuse a validation figure to choose by that is not measured.

    Raises:
        InputError: it is not among ``figures``.
    """
    if name not in figures:
        raise InputError(f"The validation has no figure {name!r} to choose by; choose one of {', '.join(figures)}.")


def built(kind: Callable[..., T], arguments: Mapping[str, Any]) -> T:
    """Build a network of a configuration's arguments.

    Raises:
        InputError: there is no such argument, or no network of these sizes.
    """
    try:
        return kind(**arguments)
    # What PyTorch and MONAI raise on sizes that do not go together.
    except (TypeError, ValueError, AssertionError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"The configuration's network cannot be built ({first_line(error)}); change its settings."
        ) from error


def read_config(path: Path, kind: type[T]) -> T:
    """Read a YAML file into a dataclass, nested dataclasses included.

    Raises:
        InputError: the file cannot be read, or a setting is unknown, missing or of another type.
        ResourceError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise ResourceError(f"Training needs pyyaml, which is not installed; {how_to_install('learned')}.") from error
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The configuration {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The configuration {path} cannot be read ({str(error).splitlines()[0]}).") from error
    return from_mapping(content or {}, kind, str(path))


def from_mapping(content: Any, kind: type[T], where: str) -> T:
    """Fill a dataclass from a mapping.

    Args:
        content: settings by name; those with a default may be left out.
        kind: the dataclass.
        where: what the mapping is, for the user.

    Raises:
        InputError: a setting is unknown, missing or of another type.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{where} holds {content!r} where settings by name are wanted.")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in content:
        if name not in known:
            raise InputError(f"{where} has the unknown setting {name!r}; choose among {', '.join(known)}.")
    hints = get_type_hints(kind)
    for name, spec in known.items():
        if name not in content and spec.default is MISSING and spec.default_factory is MISSING:
            raise InputError(f"{where} lacks the setting {name!r}.")
    return kind(**{name: _value(value, hints[name], f"{where}, {name}") for name, value in content.items()})


def _value(value: Any, hint: Any, where: str) -> Any:
    if is_dataclass(hint):
        return from_mapping(value, hint, where)  # type: ignore[arg-type]
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list | tuple):
        inner = get_args(hint)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) != len(value):
            raise InputError(f"{where} is {value!r}; give {len(kinds)} values.")
        return tuple(_value(v, k, where) for v, k in zip(value, kinds, strict=True))
    plain: Any = {float: (int, float), int: int, str: str, bool: bool}.get(hint)
    if plain is not None:
        # In Python yes and no are numbers; in a configuration they are not.
        if not isinstance(value, plain) or (isinstance(value, bool) and hint is not bool):
            raise InputError(f"{where} is {value!r}; give a value of the type {hint.__name__}.")
        return float(value) if hint is float else value
    if origin is dict and not isinstance(value, dict):
        raise InputError(f"{where} is {value!r}; give settings by name.")
    return value
