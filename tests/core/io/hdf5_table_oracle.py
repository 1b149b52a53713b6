# SPDX-License-Identifier: Apache-2.0
"""Reads a table that hdf5_table_test has written with h5py: hdf5_table_oracle.py HDF5_TABLE_TEST."""
import math
import os
import subprocess
import sys
import tempfile

try:
    import h5py
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "table.h5")
    subprocess.run(
        [sys.argv[1], "--gtest_filter=Hdf5Table.IsWrittenForOthers"],
        env={**os.environ, "TRIREME_TABLE": path},
        check=True,
    )
    with h5py.File(path, "r") as table:
        assert dict(table.attrs) == {"format": b"trireme.results", "version": 1}, dict(table.attrs)
        names = sorted(table, key=lambda name: table[name].attrs["position"])
        assert names == ["run", "loss", "steps", "optimizer.beta2"], names
        assert list(table["run"].asstr()[:]) == ["z", "", "größer", "a,b\n"]
        assert table["loss"].dtype == "<f8" and table["steps"].dtype == "<i8"
        loss = table["loss"][:]
        assert loss[0] == 0.1 and math.isnan(loss[1]) and loss[2] == -math.inf and loss[3] == 5e-324
        assert list(table["steps"][:]) == [1, -2, 2**63 - 1, -(2**63)]
        assert list(table["optimizer.beta2"][:]) == [0.95, 0.99, 1e300, 0]
print("h5py reads the same table")
