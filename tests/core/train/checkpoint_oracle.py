# SPDX-License-Identifier: Apache-2.0
"""Reads checkpoints by docs/formats.md alone, with h5py, NumPy and libxxhash: checkpoint_oracle.py WRITER."""
import ctypes
import ctypes.util
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
library = ctypes.util.find_library("xxhash")
if library is None:
    print("skipped: no libxxhash")
    sys.exit(77)
xxh = ctypes.CDLL(library)
xxh.XXH3_64bits.restype = ctypes.c_uint64
xxh.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def digest(array):
    bits = array.reshape(-1).view("<u4").astype(np.uint64)
    w = mix(np.arange(bits.size, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + bits)
    second = mix(w + np.uint64(0x632BE59BD9B4E019))
    return f"{int(w.sum(dtype=np.uint64)):016x}{int(second.sum(dtype=np.uint64)):016x}"


with tempfile.TemporaryDirectory() as root:
    said = subprocess.run([sys.argv[1], root, "2"], check=True, capture_output=True, text=True).stdout
    assert said == "saved\n", said
    folder = os.path.join(root, "step-00000002")
    whole = json.load(open(os.path.join(folder, "MANIFEST.json")))
    manifest = whole["manifest"]
    means = {"loss_bits": 0, "norm_bits": 0, "updates": 0}
    assert manifest["train"] == {"means": means, "position": 16, "skipped": 0, "step": 2, "tokens": 1600}
    assert manifest["run"] == json.load(open(os.path.join(root, "RUN.json")))["run"]
    raw = {}
    for entry in manifest["files"]:
        data = open(os.path.join(folder, entry["name"]), "rb").read()
        assert len(data) == entry["bytes"]
        blocks = [data[i : i + (16 << 20)] for i in range(0, len(data), 16 << 20)]
        assert [f"{xxh.XXH3_64bits(b, len(b)):016x}" for b in blocks] == entry["blocks"]
        raw[entry["name"]] = data
    checked = 0
    for tensor in manifest["tensors"]:
        for kind in ("master", "first", "second"):
            array = np.full(tensor["shape"], np.nan, dtype="<f4")
            for chunk in tensor["chunks"]:
                name = manifest["files"][chunk["file"]]["name"]
                place = "" if chunk["extent"] == tensor["shape"] else "@" + ",".join(map(str, chunk["origin"]))
                with h5py.File(os.path.join(folder, name)) as file:
                    dataset = file[f"{kind}/{tensor['name']}{place}"]
                    assert dataset.id.get_offset() == chunk["offsets"][kind]
                    assert list(dataset.shape) == chunk["extent"] and dataset.dtype == "<f4"
                    part = dataset[...]
                count = part.size
                same = np.frombuffer(raw[name], "<f4", count, chunk["offsets"][kind])
                assert same.tobytes() == part.tobytes()
                box = tuple(slice(o, o + e) for o, e in zip(chunk["origin"], chunk["extent"]))
                array[box] = part
            assert digest(array) == tensor["digests"][kind], (tensor["name"], kind)
            checked += 1
    print(f"{checked} arrays read by h5py and by offset, digests equal")
    assert checked == 15
