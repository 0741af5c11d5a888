#!/usr/bin/env python3
"""Reads a safetensors file strictly and prints what is in it.

    safetensors_check.py [--values] [--metadata] FILE

One line per tensor, in order of place: name, dtype, shape; with --values its
numbers too, one line each, in C order, such that they read back exactly.  With
--metadata first a line per entry.  Fields are separated by tabs.  Ends with
status 1 and a message when the file is not what the format asks for: 8 bytes of
length, a JSON object without duplicate keys that begins with "{", tensors that
fill the data without holes and overlaps, each as long as its shape says.

Shares nothing with the extension's reader, and needs nothing but Python 3.
"""
import json
import math
import re
import struct
import sys

SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
         "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
CODES = {"BOOL": "?", "U8": "B", "I8": "b", "I16": "h", "U16": "H", "F16": "e",
         "I32": "i", "U32": "I", "F32": "f", "I64": "q", "U64": "Q", "F64": "d"}
MAX_HEADER = 100 * 1000 * 1000


class Bad(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Bad(message)


def distinct(pairs):
    keys = [key for key, _ in pairs]
    need(len(keys) == len(set(keys)), "an object has a key twice")
    return dict(pairs)


def is_count(value):
    """An integer as the format means it: 8.0 and true are none."""
    return type(value) is int and 0 <= value < 2 ** 64


def parse_constant(word):
    raise Bad("%s is not JSON" % word)


def read_header(data):
    need(len(data) >= 8, "fewer than 8 bytes")
    length = struct.unpack_from("<Q", data)[0]
    need(length <= MAX_HEADER, "header of %d bytes" % length)
    need(8 + length <= len(data), "header of %d bytes in a file of %d" % (length, len(data)))
    text = data[8:8 + length]
    need(text[:1] == b"{", "the header does not begin with {")
    header = json.loads(text.decode("utf-8"), object_pairs_hook=distinct,
                        parse_constant=parse_constant)
    return header, data[8 + length:]


def check_tensor(name, tensor, ndata):
    need(isinstance(tensor, dict) and set(tensor) == {"dtype", "shape", "data_offsets"},
         "tensor %r is not of dtype, shape and data_offsets" % name)
    need(tensor["dtype"] in SIZES, "tensor %r is of unknown dtype" % name)
    for key in ("shape", "data_offsets"):
        need(isinstance(tensor[key], list) and all(is_count(v) for v in tensor[key]),
             "%s of tensor %r are not whole numbers" % (key, name))
    need(len(tensor["data_offsets"]) == 2, "tensor %r has no two offsets" % name)
    begin, end = tensor["data_offsets"]
    need(begin <= end <= ndata, "tensor %r lies outside of the data" % name)
    need(end - begin == math.prod(tensor["shape"]) * SIZES[tensor["dtype"]],
         "tensor %r has %d bytes, not what its shape says" % (name, end - begin))


def read(path):
    with open(path, "rb") as file:
        header, data = read_header(file.read())
    metadata = header.pop("__metadata__", {})
    need(isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values()),
         "metadata are not strings")
    for name, tensor in header.items():
        check_tensor(name, tensor, len(data))
    tensors = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    at = 0
    for name, tensor in tensors:
        need(tensor["data_offsets"][0] == at, "hole or overlap before tensor %r" % name)
        at = tensor["data_offsets"][1]
    need(at == len(data), "%d bytes at the end belong to no tensor" % (len(data) - at))
    return metadata, tensors, data


def values(tensor, data):
    begin, end = tensor["data_offsets"]
    part = data[begin:end]
    if tensor["dtype"] == "BF16":
        words = struct.unpack("<%dH" % (len(part) // 2), part)
        part = b"".join(struct.pack("<HH", 0, word) for word in words)
        return struct.unpack("<%df" % len(words), part)
    return struct.unpack("<%d%s" % (math.prod(tensor["shape"]), CODES[tensor["dtype"]]), part)


def short(value, is_single):
    """The shortest decimal that reads back as this number."""
    if not is_single or not math.isfinite(value):
        return repr(value)
    for digits in range(1, 10):
        text = "%.*g" % (digits, value)
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            break
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", text)


def main(arguments):
    paths = [a for a in arguments if not a.startswith("--")]
    options = set(arguments) - set(paths)
    if len(paths) != 1 or options - {"--values", "--metadata"}:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        metadata, tensors, data = read(paths[0])
    except (Bad, ValueError, OverflowError, RecursionError) as error:
        print("%s: %s" % (paths[0], error), file=sys.stderr)
        return 1
    if "--metadata" in options:
        for key, text in metadata.items():
            print("\t".join((key, text)))
    for name, tensor in tensors:
        shape = ",".join(str(n) for n in tensor["shape"])
        print("\t".join((name, tensor["dtype"], shape)))
        if "--values" in options:
            for value in values(tensor, data):
                print(short(value, tensor["dtype"] in ("F32", "F16", "BF16")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
