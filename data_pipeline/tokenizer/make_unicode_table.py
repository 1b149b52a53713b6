#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_table.cpp: the class of every code point, from Unicode 16.0.0.

    pip install unicodedata2==16.0.0
    python make_unicode_table.py > unicode_table.cpp
"""
import sys

import unicodedata2

VERSION = "16.0.0"
SPACES = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
SYMBOL, UPPER, LOWER, LETTER, MARK, NUMBER, SPACE, NEWLINE = range(8)
BY_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER, "Lo": LETTER}


def class_of(code):
    if code in (0x0A, 0x0D):
        return NEWLINE
    if code in SPACES:
        return SPACE
    category = unicodedata2.category(chr(code))
    if category in BY_CATEGORY:
        return BY_CATEGORY[category]
    return {"M": MARK, "N": NUMBER}.get(category[0], SYMBOL)


def main():
    if unicodedata2.unidata_version != VERSION:
        sys.exit(f"needs Unicode {VERSION}, found {unicodedata2.unidata_version}")
    starts, last = [], None
    for code in range(0x110000):
        found = class_of(code)
        if found != last:
            starts.append(code << 3 | found)
            last = found
    print("// SPDX-License-Identifier: Apache-2.0")
    print(f"// Written by make_unicode_table.py from Unicode {VERSION}: where each run of code points of one class begins.")
    print('#include "data_pipeline/tokenizer/unicode_class.h"\n')
    print("namespace trireme {\n")
    print("// clang-format off")
    print(f"const std::array<std::uint32_t, kUnicodeRuns> kUnicodeRunStarts = {{")
    per_line = 11
    for i in range(0, len(starts), per_line):
        print("    " + " ".join(f"{s:#x}," for s in starts[i : i + per_line]))
    print("};\n// clang-format on\n\n}  // namespace trireme")
    print(len(starts), file=sys.stderr)


main()
