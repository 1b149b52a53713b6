#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a synthetic world with Python's own zlib, bz2, xml, csv and hashlib; says on stderr what is wrong with it."""
import base64
import bz2
import csv
import hashlib
import json
import pathlib
import sys
import xml.etree.ElementTree
import zlib

out = pathlib.Path(sys.argv[1])
summary = json.loads((out / "world.json").read_text())
wrong = []


def expect(found, expected, what):
    if found != expected:
        wrong.append(f"{what}: found {found!r}, expected {expected!r}")


def base36(number):
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits.rjust(31, "0")


def members(data):
    at = 0
    while 0 <= at < len(data):
        inflater = zlib.decompressobj(31)
        try:
            text = inflater.decompress(data[at:])
        except zlib.error:
            inflater = None
        if inflater is None or not inflater.eof:
            yield None
            at = data.find(b"\x1f\x8b\x08", at + 1)
        else:
            yield text
            at = len(data) - len(inflater.unused_data)


pages = broken = 0
for path in sorted((out / "crawl").glob("*.warc.wet.gz")):
    for member in members(path.read_bytes()):
        if member is None:
            broken += 1
            continue
        head, _, rest = member.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n")[1:])
        if fields["WARC-Type"] != "conversion":
            continue
        pages += 1
        digest = base64.b32encode(hashlib.sha1(rest[:-4]).digest()).decode()
        expect(fields["WARC-Block-Digest"], "sha1:" + digest, fields["WARC-Target-URI"])
expect(broken, summary["crawl"]["truncated_member"], "broken members")
expect(pages + broken, sum(summary["crawl"].values()), "pages of the crawl")

packed = (out / "wiki/synthwiki-pages-articles-multistream.xml.bz2").read_bytes()
root = xml.etree.ElementTree.fromstring(bz2.decompress(packed))
space = "{http://www.mediawiki.org/xml/export-0.11/}"
articles = redirects = others = 0
for page in root.iter(space + "page"):
    text = page.find(f"{space}revision/{space}text")
    raw = text.text.encode()
    expect(int(text.get("bytes")), len(raw), page.find(space + "title").text + ": bytes")
    expect(text.get("sha1"), base36(int(hashlib.sha1(raw).hexdigest(), 16)), page.find(space + "title").text)
    if page.find(space + "redirect") is not None:
        redirects += 1
    elif page.find(space + "ns").text == "0":
        articles += 1
    else:
        others += 1
expect({"articles": articles, "redirects": redirects, "other_namespaces": others}, summary["wiki"], "wiki pages")

index = bz2.decompress((out / "wiki/synthwiki-pages-articles-multistream-index.txt.bz2").read_bytes()).decode()
for line in index.splitlines():
    offset, number, title = line.split(":", 2)
    stream = bz2.BZ2Decompressor().decompress(packed[int(offset):]).decode()
    if f"<title>{title}</title>\n    <ns>" not in stream or f"<id>{number}</id>" not in stream:
        wrong.append(f"index: page {number} is not in the stream at {offset}")

for split in ("dev", "test"):
    for name, sizes in summary["exam"]["subjects"].items():
        with open(out / f"exam/{split}/{name}_{split}.csv", newline="") as file:
            rows = list(csv.reader(file))
        expect(len(rows), sizes[split], f"{name} {split}")
        for row in rows:
            expect((len(row), row[-1] in "ABCD"), (6, True), f"{name} {split} {row}")

for path, size in summary["files"].items():
    expect((out / path).stat().st_size, size, path)
print(f"{pages} pages, {articles} articles, {len(wrong)} mistakes", file=sys.stderr)
for line in wrong[:20]:
    print(line, file=sys.stderr)
sys.exit(1 if wrong else 0)
