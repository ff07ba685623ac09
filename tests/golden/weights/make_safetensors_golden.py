"""Which small files the reference implementation of safetensors takes, and which it refuses, and why.

    pip install safetensors==0.8.0
    python3 tests/golden/weights/make_safetensors_golden.py        # rewrites safetensors.json beside it
"""
import base64
import json
import pathlib

import safetensors

MAX = 2**63 - 1


def entry(dtype='"F32"', shape="[1]", offsets="[0,4]", more=""):
    return f'{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}'


def with_length(header, data, length=None):
    header = header if isinstance(header, bytes) else header.encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def one(data=4, **fields):
    return with_length('{"w":' + entry(**fields) + "}", bytes(data))


def two(a, b, data, shape_a="[4]", shape_b="[4]"):
    return with_length('{"a":' + entry('"U8"', shape_a, a) + ',"b":' + entry('"U8"', shape_b, b) + "}", bytes(data))


CASES = {
    # The frame.
    "empty file": b"",
    "seven bytes": bytes(7),
    "length only": bytes(8),
    "length past the end by one": with_length("{}", b"", 3),
    "length at the limit, past the end": with_length("{}", b"", 100_000_000),
    "length over the limit": with_length("{}", b"", 100_000_001),
    "length of all ones": with_length("{}", b"", 2**64 - 1),
    "nothing but braces": with_length("{}", b""),
    # The header's text.
    "space before the brace": with_length(" {}", b""),
    "byte order mark before the brace": with_length("\ufeff{}", b""),
    "an array": with_length("[]", b""),
    "spaces after": with_length("{}      ", b""),
    "line end after": with_length("{}\n", b""),
    "NUL after": with_length("{}\0", b""),
    "text after": with_length("{}x", b""),
    "second object after": with_length("{}{}", b""),
    "not closed": with_length("{", b""),
    "trailing comma": with_length('{"w":' + entry() + ",}", bytes(4)),
    "single quotes": with_length("{'w':" + entry() + "}", bytes(4)),
    "comment": with_length("{/**/}", b""),
    "invalid UTF-8 in a name": with_length(b'{"\xff":' + entry().encode() + b"}", bytes(4)),
    "invalid UTF-8 in metadata": with_length(b'{"__metadata__":{"a":"\xc3"}}', b""),
    "overlong UTF-8": with_length(b'{"__metadata__":{"a":"\xc0\x80"}}', b""),
    "encoded surrogate": with_length(b'{"__metadata__":{"a":"\xed\xa0\x80"}}', b""),
    "lone surrogate escape": with_length('{"__metadata__":{"a":"\\ud800"}}', b""),
    "surrogate pair escape": with_length('{"__metadata__":{"a":"\\ud83d\\ude00"}}', b""),
    "control character in a string": with_length('{"__metadata__":{"a":"\x01"}}', b""),
    # Metadata.
    "metadata": with_length('{"__metadata__":{"format":"pt","":""}}', b""),
    "metadata empty": with_length('{"__metadata__":{}}', b""),
    "metadata an array": with_length('{"__metadata__":[]}', b""),
    "metadata a string": with_length('{"__metadata__":"a"}', b""),
    "metadata of a number": with_length('{"__metadata__":{"a":1}}', b""),
    "metadata of null": with_length('{"__metadata__":{"a":null}}', b""),
    "metadata of an object": with_length('{"__metadata__":{"a":{}}}', b""),
    "metadata twice": with_length('{"__metadata__":{},"__metadata__":{}}', b""),
    # One entry.
    "one tensor": one(),
    "a number": with_length('{"w":5}', bytes(4)),
    "null": with_length('{"w":null}', bytes(4)),
    "no dtype": with_length('{"w":{"shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "no shape": with_length('{"w":{"dtype":"F32","data_offsets":[0,4]}}', bytes(4)),
    "no offsets": with_length('{"w":{"dtype":"F32","shape":[1]}}', bytes(4)),
    "shape twice": one(more=',"shape":[1]'),
    "dtype unknown": one(dtype='"F31"'),
    "dtype in lower case": one(dtype='"f32"'),
    "dtype empty": one(dtype='""'),
    "dtype a number": one(dtype="7"),
    "dtype null": one(dtype="null"),
    "shape a number": one(shape="1"),
    "shape null": one(shape="null"),
    "dimension negative": one(shape="[-1]"),
    "dimension minus zero": one(shape="[-0]", offsets="[0,0]", data=0),
    "dimension with a fraction": one(shape="[1.0]"),
    "dimension with an exponent": one(shape="[1e0]"),
    "dimension a string": one(shape='["1"]'),
    "dimension null": one(shape="[null]"),
    "dimension with a leading zero": one(shape="[01]"),
    "dimension of 2^64": one(shape=f"[{2**64}]"),
    "offsets a number": one(offsets="4"),
    "offsets of one": one(offsets="[0]"),
    "offsets of three": one(offsets="[0,4,4]"),
    "offset negative": one(offsets="[-4,0]"),
    "offset with a fraction": one(offsets="[0,4.0]"),
    "offset of 2^64": one(offsets=f"[0,{2**64}]"),
    "offset of 2^63": one(offsets=f"[0,{2**63}]"),
    "offsets reversed": one(offsets="[4,0]"),
    # Shape, type and span.
    "scalar": one(shape="[]"),
    "no elements": one(shape="[0,7]", offsets="[0,0]", data=0),
    "span too short": one(shape="[2]"),
    "span too long": one(shape="[1]", offsets="[0,8]", data=8),
    "element size": one(dtype='"F64"'),
    "every float type": with_length('{"a":' + entry('"F64"', "[1]", "[0,8]") + ',"b":' + entry('"F16"', "[2]", "[8,12]") + ',"c":' + entry('"BF16"', "[1,2]", "[12,16]") + "}", bytes(16)),
    "every integer type": with_length('{"a":' + entry('"I64"', "[1]", "[0,8]") + ',"b":' + entry('"I32"', "[1]", "[8,12]") + ',"c":' + entry('"I16"', "[1]", "[12,14]")
                                      + ',"d":' + entry('"I8"', "[1]", "[14,15]") + ',"e":' + entry('"U8"', "[1]", "[15,16]") + ',"f":' + entry('"BOOL"', "[1]", "[16,17]") + "}", bytes(17)),
    "product overflows": one(shape="[4294967296,4294967296,4]"),
    "product overflows before a zero": one(shape=f"[{2**62},{2**62},0]", offsets="[0,0]", data=0),
    "product after a zero": one(shape="[0,4294967296,4294967296]", offsets="[0,0]", data=0),
    "bytes overflow": one(dtype='"F64"', shape=f"[{2**61}]"),
    "product wraps to the span": one(dtype='"U8"', shape=f"[{2**32},{2**32}]", offsets="[0,0]", data=0),
    # Tiling.
    "two in order": two("[0,4]", "[4,8]", 8),
    "two out of order": two("[4,8]", "[0,4]", 8),
    "hole in the middle": two("[0,4]", "[5,9]", 9),
    "hole at the start": two("[1,5]", "[5,9]", 9),
    "overlap": two("[0,4]", "[3,7]", 7),
    "the same bytes twice": two("[0,4]", "[0,4]", 4),
    "bytes after the last": two("[0,4]", "[4,8]", 9),
    "bytes after no tensor": with_length("{}", b"x"),
    "bytes missing": two("[0,4]", "[4,8]", 7),
    "empty at the seam": two("[0,4]", "[4,4]", 4, shape_b="[0]"),
    "empty before all": two("[0,4]", "[0,0]", 4, shape_b="[0]"),
    "empty inside another": two("[0,4]", "[2,2]", 4, shape_b="[0]"),
    "empty past the end": two("[0,4]", "[9,9]", 4, shape_b="[0]"),
    "name twice": with_length('{"w":' + entry() + ',"w":' + entry() + "}", bytes(4)),
    "name empty": with_length('{"":' + entry() + "}", bytes(4)),
    "name with NUL escape": with_length('{"a\\u0000b":' + entry() + "}", bytes(4)),
}


def verdict(data):
    try:
        safetensors.deserialize(data)
        return ""
    except safetensors.SafetensorError as error:
        return str(error).split(": ", 1)[-1] or "refused"


cases = [{"name": name, "file": base64.b64encode(data).decode(), "refused": verdict(data)} for name, data in CASES.items()]
text = json.dumps({"safetensors": safetensors.__version__, "cases": cases}, indent=0)
(pathlib.Path(__file__).parent / "safetensors.json").write_text(text + "\n")
