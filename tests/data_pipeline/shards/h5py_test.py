# SPDX-License-Identifier: Apache-2.0
"""h5py, an implementation that shares no code with our reader beyond libhdf5, finds the same values in our shards.

Usage: h5py_test.py WRITER, the program write_example. Exit code 77: skipped, h5py is missing.
"""

import json
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def as_text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def main():
    with tempfile.TemporaryDirectory() as folder:
        output = subprocess.run([sys.argv[1], folder], check=True, capture_output=True, text=True).stdout
        compared = 0
        for line in output.splitlines():
            name, dataset, *values = line.split(" ")
            with h5py.File(f"{folder}/{name}", "r") as file:
                found = file[dataset][()].ravel()
                expected = numpy.array([int(v) for v in values], dtype=numpy.uint64)
                assert numpy.array_equal(found.astype(numpy.uint64), expected), (name, dataset)
                # The documented way of reading without HDF5: raw bytes at the dataset's offset.
                raw = numpy.fromfile(f"{folder}/{name}", dtype=found.dtype, count=found.size,
                                     offset=file[dataset].id.get_offset())
                assert numpy.array_equal(raw, found), (name, dataset)
                wide = name.startswith("wide/")
                assert file["tokens"].dtype == ("<u4" if wide else "<u2")
                assert file["tokens"].chunks is None
                assert as_text(file.attrs["format"]) == "trireme.shard"
                assert int(file.attrs["version"]) == 1
                assert as_text(file.attrs["tokenizer"]) == "0123456789abcdef0123456789abcdef"
                assert int(file.attrs["vocabulary"]) == (100000 if wide else 1000)
                assert as_text(file.attrs["dtype"]) == ("u32" if wide else "u16")
                assert int(file.attrs["bos"]) == -1
                assert int(file.attrs["eos"]) == int(file.attrs["vocabulary"]) - 1
                assert int(file["documents"][-1]) == len(file["tokens"])
                assert len(json.loads(bytes(file["sources"][()]))) == 2
                assert len(file["checksums"]) == -(-file["tokens"].nbytes // int(file.attrs["block_bytes"]))
            compared += 1
        assert compared == 12, compared
        with open(f"{folder}/corpus.json", encoding="utf-8") as file:
            corpus = json.load(file)
        counts = corpus["documents"]
        assert counts["read"] == counts["kept"] + sum(counts["rejected"].values()) + sum(counts["failed"].values())
        assert sum(s["tokens"] for s in corpus["shards"]) == corpus["tokens"]
    print(f"h5py {h5py.version.version} and the reader agree on {compared} datasets")


main()
