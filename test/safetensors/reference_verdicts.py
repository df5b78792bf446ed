"""What the format's reference reader says about malformed and odd headers.

    pip install safetensors==0.8.0
    python reference_verdicts.py > fixtures/reference-verdicts.json && npx prettier --write fixtures/reference-verdicts.json

Each row has the header (as text, or as hex digits where it is no UTF-8) and how many bytes of data follow it. A header of
spaces only, too large to be kept, has their number instead; `declared` is the length that the file claims, where that is
another one. `tensors` is what was read, `error` why not.
"""

from __future__ import annotations

import json
import struct

import safetensors

ONE = '"dtype":"F32","shape":[1],"data_offsets":[0,4]'
DTYPES = (
    "BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64 "
    "I64 U64 F8 F6 U4 I4 C128 F128 BF8 f32 F32_ NULL"
).split()
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "C64": 64}


def tensor(dtype='"F32"', shape="[1]", offsets="[0,4]", more="") -> str:
    return f'{{"a":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}}}'


def extra(value: str) -> str:
    return tensor(more=f',"x":{value}')


def pair(first: str, second: str) -> str:
    def u8(offsets: str) -> str:
        begin, end = (int(part) for part in offsets.split(","))
        return f'{{"dtype":"U8","shape":[{end - begin}],"data_offsets":[{offsets}]}}'

    return f'{{"a":{u8(first)},"b":{u8(second)}}}'


def dtype_row(name: str) -> tuple[str, str, int]:
    bits = BITS.get(name) or (64 if name.endswith("64") else 32 if "32" in name else 16 if "16" in name else 8)
    return f"dtype {name}", tensor(f'"{name}"', "[8]", f"[0,{bits}]"), bits


def nested(levels: int, opening: str, closing: str, inner: str = "") -> str:
    return opening * levels + inner + closing * levels


ROWS: list[tuple[str, str | bytes, int]] = [
    ("one tensor", tensor(), 4),
    ("no tensor", "{}", 0),
    *(dtype_row(name) for name in DTYPES),
    # White space and what surrounds the object
    ("white space first", " \t\r\n" + tensor(), 4),
    ("white space last", tensor() + " \n\t\r", 4),
    ("white space between", '{ "a" :\t{ "shape" : [ 1 ] ,\r"data_offsets":[ 0 , 4 ], "dtype":"F32" }\n}', 4),
    ("white space only", "    ", 0),
    ("a vertical tab first", "\x0b{}", 0),
    ("a no-break space first", "\u00a0{}", 0),
    ("a byte order mark first", "\ufeff{}", 0),
    ("a NUL last", "{}\0", 0),
    ("NULs as padding", tensor() + "\0\0\0\0", 4),
    ("a second object", "{}{}", 0),
    ("text after the object", "{}x", 0),
    ("an empty header", "", 0),
    ("one brace", "{", 0),
    ("a list", "[]", 0),
    ("a list of fields", "[null]", 0),
    ("null", "null", 0),
    ("a string", '"{}"', 0),
    ("a number", "12", 0),
    # JSON
    ("a comma before the end", '{"__metadata__":{},}', 0),
    ("a comma before the end of a tensor", tensor(more=","), 4),
    ("a comma before the end of a shape", tensor(shape="[1,]"), 4),
    ("no comma", '{"__metadata__":{} "a":{}}', 0),
    ("a comment", "{/**/}", 0),
    ("a comment at the end of a line", "{}//", 0),
    ("a key without quotes", "{a:{}}", 0),
    ("single quotes", "{'__metadata__':{}}", 0),
    ("an open object", '{"a":{"dtype":"F32"', 0),
    ("an open string", '{"a', 0),
    ("a control character in a name", '{"a\nb":{%s}}' % ONE, 4),
    ("a DEL in a name", '{"a\x7fb":{%s}}' % ONE, 4),
    ("an escaped control character in a name", '{"a\\u0000b":{%s}}' % ONE, 4),
    ("an unknown escape", '{"\\x":{%s}}' % ONE, 4),
    ("a short escape", '{"\\u00":{%s}}' % ONE, 4),
    ("an empty name", '{"":{%s}}' % ONE, 4),
    ("a name of two UTF-16 units, escaped", '{"\\ud83d\\ude00":{%s}}' % ONE, 4),
    ("a name with a lone surrogate", '{"\\ud800":{%s}}' % ONE, 4),
    ("a name with a lone low surrogate", '{"\\udc00":{%s}}' % ONE, 4),
    ("a lone surrogate in a field that is ignored", extra('"\\ud800"'), 4),
    ("a byte that starts no character", b'{"\xff":{%s}}' % ONE.encode(), 4),
    ("half a surrogate pair as bytes", b'{"\xed\xa0\x80":{%s}}' % ONE.encode(), 4),
    ("a character in more bytes than it needs", b'{"\xc0\x80":{%s}}' % ONE.encode(), 4),
    ("a cut character", b'{"\xe2\x82":{%s}}' % ONE.encode(), 4),
    # Metadata
    ("metadata", '{"__metadata__":{"format":"pt","":""}}', 0),
    ("metadata after a tensor", '{"a":{%s},"__metadata__":{}}' % ONE, 4),
    ("metadata that is null", '{"__metadata__":null}', 0),
    ("metadata that is null, and a tensor", '{"__metadata__":null,"a":{%s}}' % ONE, 4),
    ("metadata by an escaped key", '{"\\u005f_metadata__":null}', 0),
    ("metadata that is a list", '{"__metadata__":[]}', 0),
    ("metadata that is text", '{"__metadata__":"pt"}', 0),
    ("metadata that is false", '{"__metadata__":false}', 0),
    ("metadata that is a tensor", '{"__metadata__":{%s}}' % ONE, 4),
    ("a number in the metadata", '{"__metadata__":{"a":1}}', 0),
    ("null in the metadata", '{"__metadata__":{"a":null}}', 0),
    ("an object in the metadata", '{"__metadata__":{"a":{}}}', 0),
    ("a lone surrogate in the metadata", '{"__metadata__":{"a":"\\ud800"}}', 0),
    ("metadata twice", '{"__metadata__":{},"__metadata__":{}}', 0),
    ("metadata twice, null first", '{"__metadata__":null,"__metadata__":{}}', 0),
    ("one key twice in the metadata", '{"__metadata__":{"a":"1","a":"2"}}', 0),
    # Fields of a tensor
    ("a field that the format lacks", tensor(more=',"strides":[1]'), 4),
    ("a field without a name", tensor(more=',"":1'), 4),
    ("a field first", '{"a":{"x":{"dtype":[null,true,false,-1.5e-3,"\\n",{}]},%s}}' % ONE, 4),
    ("a field that the format lacks, twice", tensor(more=',"x":1,"x":2'), 4),
    ("a key twice in a field that is ignored", extra('{"dtype":1,"dtype":2}'), 4),
    ("two dtypes", tensor(more=',"dtype":"F32"'), 4),
    ("two shapes", tensor(more=',"shape":[1]'), 4),
    ("two data_offsets", tensor(more=',"data_offsets":[0,4]'), 4),
    ("two tensors of one name", '{"a":{%s},"a":{%s}}' % (ONE, ONE), 4),
    ("two tensors of one name, escaped", '{"a":{%s},"\\u0061":{%s}}' % (ONE, ONE), 4),
    (
        "two tensors of one name, of which the first fits nothing",
        '{"a":{"dtype":"F32","shape":[9],"data_offsets":[7,9]},"a":{%s}}' % ONE,
        4,
    ),
    (
        "two tensors of one name, of which the first goes backwards",
        '{"a":{"dtype":"F32","shape":[9],"data_offsets":[9,7]},"a":{%s}}' % ONE,
        4,
    ),
    (
        "two tensors of one name, of which the last fits nothing",
        '{"a":{%s},"a":{"dtype":"F32","shape":[9],"data_offsets":[7,9]}}' % ONE,
        4,
    ),
    ("two tensors of one name, of which the last has no field", '{"a":{%s},"a":{}}' % ONE, 4),
    ("a tensor as a list", '{"a":["F32",[1],[0,4]]}', 4),
    ("a tensor as a list, with more", '{"a":["F32",[1],[0,4],null]}', 4),
    ("a tensor as a list, with less", '{"a":["F32",[1]]}', 4),
    ("a tensor as a list, in another order", '{"a":["F32",[0,4],[1]]}', 4),
    ("a tensor as a list, with its dtype as an object", '{"a":[{"F32":null},[1],[0,4]]}', 4),
    ("a tensor as an empty list", '{"a":[]}', 0),
    ("a tensor that is null", '{"a":null}', 0),
    ("a tensor that is text", '{"a":"F32"}', 0),
    ("a tensor without fields", '{"a":{}}', 0),
    ("no dtype", '{"a":{"shape":[1],"data_offsets":[0,4]}}', 4),
    ("no shape", '{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4),
    ("no data_offsets", '{"a":{"dtype":"F32","shape":[1]}}', 4),
    ("a dtype as an object", tensor('{"F32":null}'), 4),
    ("a dtype as an object with an object", tensor('{"F32":{}}'), 4),
    ("a dtype as an object with a number", tensor('{"F32":0}'), 4),
    ("a dtype as an object of two", tensor('{"F32":null,"F16":null}'), 4),
    ("a dtype as an object of one name twice", tensor('{"F32":null,"F32":null}'), 4),
    ("a dtype as an empty object", tensor("{}"), 4),
    ("a dtype that is null", tensor("null"), 4),
    ("a dtype that is a number", tensor("17"), 4),
    ("a dtype in a list", tensor('["F32"]'), 4),
    ("a dtype with a space", tensor('"F32 "'), 4),
    ("a shape that is null", tensor(shape="null"), 4),
    ("a shape that is a number", tensor(shape="1"), 4),
    ("a shape that is an object", tensor(shape='{"0":1}'), 4),
    ("a nested shape", tensor(shape="[[1]]"), 4),
    ("offsets as an object", tensor(offsets='{"0":0,"1":4}'), 4),
    ("one offset", tensor(offsets="[4]"), 4),
    ("three offsets", tensor(offsets="[0,4,4]"), 4),
    ("offsets that are null", tensor(offsets="null"), 4),
    # Numbers
    *((f"a dimension of {text}", tensor(shape=f"[{text}]"), 4) for text in "1.0 1e0 1E0 01 -1 -0 +1 0x1 1. .5 NaN true".split()),
    ('a dimension of "1"', tensor(shape='["1"]'), 4),
    *((f"an offset of {text}", tensor(offsets=f"[0,{text}]"), 4) for text in "4.0 4e0 04 -4 NaN null".split()),
    ("an offset of -0", tensor(offsets="[-0,4]"), 4),
    ("an offset of 2^53", tensor(offsets="[0,9007199254740992]"), 4),
    ("an offset of 2^64", tensor(offsets="[0,18446744073709551616]"), 4),
    ("a dimension of 2^53", tensor(shape="[9007199254740992]"), 4),
    ("a dimension of 2^64", tensor(shape="[18446744073709551616]"), 4),
    ("a dimension of 1,000 digits", tensor(shape=f"[{'9' * 1000}]"), 4),
    ("no elements of 2^53 + 1", tensor(shape="[9007199254740993,0]", offsets="[0,0]"), 0),
    ("no elements of 2^64 - 1", tensor(shape="[18446744073709551615,0]", offsets="[0,0]"), 0),
    ("no elements of 2^64", tensor(shape="[18446744073709551616,0]", offsets="[0,0]"), 0),
    ("zero first, and dimensions that overflow", tensor(shape="[0,18446744073709551615,9]", offsets="[0,0]"), 0),
    ("zero after a product beyond 2^53", tensor(shape="[9007199254740991,9,0]", offsets="[0,0]"), 0),
    ("zero after a product beyond 2^64", tensor(shape="[9007199254740991,9007199254740991,0]", offsets="[0,0]"), 0),
    ("a product that wraps to the right size", tensor(shape="[4294967296,4294967296,1]"), 4),
    ("a product of bits that wraps to the right size", tensor(shape="[576460752303423489]", offsets="[0,4]"), 4),
    *(
        (f"a field of {text[:12]}", extra(text), 4)
        for text in (
            "0 -0 1.5 1e5 1E+5 1e-99999 0e99999999999 1.7976931348623157e308 1e309 -1e309 01 1. .5 - +1 1e 0x1 NaN Infinity "
            "-Infinity true false null tru nul undefined"
        ).split()
    ),
    ("a field of 400 digits", extra("9" * 400), 4),
    # Depth
    *((f"a field of {levels} lists", extra(nested(levels, "[", "]")), 4) for levels in (1, 100, 125, 126, 200)),
    *((f"a field of {levels} objects", extra(nested(levels, '{"k":', "}", "1")), 4) for levels in (100, 125, 126)),
    ("a list that closes as an object", extra("[}"), 4),
    ("an object that closes as a list", extra('{"k":1]'), 4),
    ("a list without a comma", extra("[1 2]"), 4),
    ("an object without a key", extra("{1}"), 4),
    ("an object without a value", extra('{"k":}'), 4),
    # Sizes and places
    ("a scalar", tensor(shape="[]"), 4),
    ("an empty tensor", tensor(shape="[0]", offsets="[0,0]"), 0),
    ("an empty tensor beyond the data", pair("0,4", "9,9"), 4),
    ("an empty tensor in the middle", pair("0,0", "0,4"), 4),
    ("an empty tensor at the end", pair("0,4", "4,4"), 4),
    ("an empty tensor listed last, where the first begins", pair("0,4", "0,0"), 4),
    ("an empty tensor within another", pair("0,4", "2,2"), 4),
    ("a tensor listed after the one that follows it", pair("4,8", "0,4"), 8),
    ("offsets backwards", tensor(offsets="[4,0]"), 4),
    ("one element of 4 bits", tensor('"F4"', offsets="[0,1]"), 1),
    ("two elements of 4 bits", tensor('"F4"', "[2]", "[0,1]"), 1),
    ("three elements of 6 bits", tensor('"F6_E2M3"', "[3]", "[0,3]"), 3),
    ("four elements of 6 bits", tensor('"F6_E2M3"', "[2,2]", "[0,3]"), 3),
    ("fewer bytes than the shape takes", tensor(shape="[2]"), 4),
    ("more bytes than the shape takes", tensor('"F16"'), 4),
    ("bytes for an empty tensor", tensor(shape="[0]"), 4),
    ("a hole before the first tensor", tensor(offsets="[1,5]"), 5),
    ("a hole between tensors", pair("0,4", "5,9"), 9),
    ("tensors that overlap", pair("0,4", "3,7"), 7),
    ("two tensors at one place", pair("0,4", "0,4"), 4),
    ("a tensor within a tensor", pair("0,8", "2,4"), 8),
    ("data that ends early", tensor(), 3),
    ("no data", tensor(), 0),
    ("data that goes on", tensor(), 5),
    ("data without a tensor", "{}", 1),
]

# Spaces before an object, so many that the header has this length
LONG = [("a header of 100,000,000 bytes", 99_999_998), ("a header of 100,000,001 bytes", 99_999_999)]
DECLARED = [
    ("a length of 0", 0),
    ("a length of 1", 1),
    ("a length of one byte less", 1),
    ("a length of one byte more than the file has", 3),
    ("a length of 2^63", 2**63),
    ("a length of 2^64 - 1", 2**64 - 1),
    ("a length that is small in its low half", 2**32 + 2),
]


def read(header: bytes, data: int, declared: int | None = None) -> dict[str, object]:
    length = len(header) if declared is None else declared
    try:
        tensors = safetensors.deserialize(struct.pack("<Q", length) + header + bytes(data))
    except safetensors.SafetensorError as error:
        return {"verdict": "refused", "error": str(error)[:120]}
    return {"verdict": "read", "tensors": sorted([name, info["dtype"]] for name, info in tensors)}


def main() -> None:
    rows: list[dict[str, object]] = []
    for what, header, data in ROWS:
        raw = header if isinstance(header, bytes) else header.encode()
        shown = {"hex": header.hex()} if isinstance(header, bytes) else {"header": header}
        rows.append({"what": what, **shown, "data": data, **read(raw, data)})
    for what, spaces in LONG:
        rows.append({"what": what, "spaces": spaces, "header": "{}", "data": 0, **read(b" " * spaces + b"{}", 0)})
    for what, declared in DECLARED:
        rows.append({"what": what, "declared": str(declared), "header": "{}", "data": 0, **read(b"{}", 0, declared)})
    print(json.dumps({"safetensors": safetensors.__version__, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
