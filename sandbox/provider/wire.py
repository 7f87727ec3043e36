"""Pulumi's values on the wire: protobuf structs to plain Python and back.

Specially marked objects (secrets, outputs, resource references, unknowns) are resolved to what a provider needs of
them. Assets and archives stay objects: they are recognised by `is_archive` and opened by `archives`.
Source of the markers: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2

Props = dict[str, Any]
"""A resource's properties, by their Pulumi names."""

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that only the real `up` will know. There is one: `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def has_unknown(value: Any) -> bool:
    """Whether `value` is or contains `UNKNOWN`."""
    match value:
        case Unknown():
            return True
        case Mapping():
            return any(map(has_unknown, value.values()))
        case list():
            return any(map(has_unknown, value))
    return False


def is_archive(value: Any) -> bool:
    """Whether `value` is a Pulumi archive, or an asset in its place."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def from_struct(message: struct_pb2.Struct) -> Props:
    """The properties of `message`, without those that are null."""
    decoded = ((key, _decode(value)) for key, value in message.fields.items())
    return {key: value for key, value in decoded if value is not None}


def _decode(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _plain(from_struct(value.struct_value))
    return None


def _plain(value: Props) -> Any:
    match value.get(SIGNATURE):
        case str(mark) if mark == SECRET:
            return value.get("value")
        case str(mark) if mark == OUTPUT:
            return value.get("value", UNKNOWN)
        case str(mark) if mark == RESOURCE:
            return value.get("id", UNKNOWN)
    return value


def to_struct(props: Props) -> struct_pb2.Struct:
    """`props` as a message, without those that are None."""
    message = struct_pb2.Struct()
    for key, value in props.items():
        if value is not None:
            _encode(value, message.fields[key])
    return message


def _encode(value: Any, into: struct_pb2.Value) -> None:
    match value:
        case None:
            into.null_value = struct_pb2.NULL_VALUE
        case Unknown():
            into.string_value = UNKNOWN_TEXT
        case bool():
            into.bool_value = value
        case str():
            into.string_value = value
        case int() | float():
            into.number_value = value
        case Mapping():
            fields = into.struct_value.fields
            into.struct_value.SetInParent()
            for key, item in value.items():
                if item is not None:
                    _encode(item, fields[key])
        case list() | tuple():
            into.list_value.SetInParent()
            for item in value:
                _encode(item, into.list_value.values.add())
        case _:
            raise TypeError(f"not a Pulumi value: {type(value).__name__}")
