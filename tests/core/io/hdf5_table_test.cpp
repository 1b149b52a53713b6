// SPDX-License-Identifier: Apache-2.0
#include "core/io/hdf5_table.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

Hdf5Table example() {
  return {{{"run", std::vector<std::string>{"z", "", "größer", "a,b\n"}},
           {"loss", std::vector<double>{0.1, NAN, -INFINITY, 5e-324}},
           {"steps", std::vector<std::int64_t>{1, -2, INT64_MAX, INT64_MIN}},
           {"optimizer.beta2", std::vector<double>{0.95, 0.99, 1e300, 0}}},
          {{"format", std::string("trireme.results")}, {"version", 1}}};
}

TEST(Hdf5Table, ComesBackAsItWas) {
  const TemporaryDirectory directory;
  write_hdf5_table(directory / "t.h5", example());
  const auto table = read_hdf5_table(directory / "t.h5");
  EXPECT_EQ(table.attributes, example().attributes);
  ASSERT_EQ(table.columns.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(table.columns[i].name, example().columns[i].name);
  EXPECT_EQ(table.columns[0].values, example().columns[0].values);
  EXPECT_EQ(table.columns[2].values, example().columns[2].values);
  EXPECT_EQ(table.columns[3].values, example().columns[3].values);
  const auto& loss = std::get<std::vector<double>>(table.columns[1].values);
  EXPECT_EQ(loss[0], 0.1);
  EXPECT_TRUE(std::isnan(loss[1]));
  EXPECT_EQ(loss[2], -INFINITY);
  EXPECT_EQ(loss[3], 5e-324);
}

TEST(Hdf5Table, MayBeEmpty) {
  const TemporaryDirectory directory;
  write_hdf5_table(directory / "none.h5", {});
  EXPECT_TRUE(read_hdf5_table(directory / "none.h5").columns.empty());
  write_hdf5_table(directory / "rows.h5", {{{"a", std::vector<double>{}}, {"b", std::vector<std::string>{}}}, {}});
  const auto table = read_hdf5_table(directory / "rows.h5");
  ASSERT_EQ(table.columns.size(), 2U);
  EXPECT_TRUE(std::get<std::vector<std::string>>(table.columns[1].values).empty());
}

TEST(Hdf5Table, TheSameTableIsTheSameBytesAndReplacesTheOldOne) {
  const TemporaryDirectory directory;
  write_hdf5_table(directory / "t.h5", {{{"old", std::vector<double>(1000, 1.0)}}, {}});
  write_hdf5_table(directory / "t.h5", example());
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // times in HDF5 files are whole seconds
  write_hdf5_table(directory / "u.h5", example());
  EXPECT_EQ(read_file(directory / "t.h5", 1 << 20), read_file(directory / "u.h5", 1 << 20));
}

TEST(Hdf5Table, RefusesImpossibleTables) {
  const TemporaryDirectory directory;
  const auto expect = [&](const Hdf5Table& table, const std::string& part) {
    expect_error([&] { write_hdf5_table(directory / "t.h5", table); }, {"t.h5", part});
    EXPECT_TRUE(missing(directory / "t.h5") && missing(directory / "t.h5.part"));
  };
  const std::vector<double> one{1};
  expect({{{"", one}}, {}}, "cannot be called ''");
  expect({{{"a/b", one}}, {}}, "cannot be called 'a/b'");
  expect({{{"a", one}, {"a", one}}, {}}, "two columns are called 'a'");
  expect({{{"a", one}, {"b", std::vector<double>{}}}, {}}, "'b' has 0 rows");
  expect({{{"a", std::vector<std::string>{std::string("x\0y", 3)}}}, {}}, "zero byte");
}

TEST(Hdf5Table, RefusesBrokenFiles) {
  const TemporaryDirectory directory;
  write_hdf5_table(directory / "t.h5", example());
  const auto good = read_file(directory / "t.h5", 1 << 20);
  const auto expect = [&](const std::string& bytes, const std::string& part) {
    write_file_atomic(directory / "b.h5", bytes);
    expect_error([&] { read_hdf5_table(directory / "b.h5"); }, {"b.h5", part});
  };
  expect("", "no HDF5 file");
  expect(good.substr(0, good.size() / 2), "truncated");
  expect(good + "x", "truncated or appended");
  expect_error([&] { read_hdf5_table(directory / "gone.h5"); }, {"gone.h5"});
}

TEST(Hdf5Table, AFlippedBitIsAnErrorOrANumber) {
  const TemporaryDirectory directory;
  write_hdf5_table(directory / "t.h5", {{{"n", std::vector<std::int64_t>{7, 8}}}, {{"format", std::string("x")}}});
  const auto good = read_file(directory / "t.h5", 1 << 20);
  const auto file = FileDescriptor::open_write(directory / "t.h5");
  int refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    const char bad = static_cast<char>(good[i] ^ (1 << (i % 8)));
    file.pwrite_all(&bad, 1, i);
    try {
      const auto table = read_hdf5_table(directory / "t.h5");
      ASSERT_EQ(table.columns.size(), 1U) << "byte " << i;
      ASSERT_EQ(std::get<std::vector<std::int64_t>>(table.columns[0].values).size(), 2U) << "byte " << i;
    } catch (const Error&) {
      ++refused;
    }
    file.pwrite_all(&good[i], 1, i);
  }
  EXPECT_GT(refused, 100);
}

// A file of the library's own, with what a table does not have.
TEST(Hdf5Table, RefusesWhatItDoesNotWrite) {
  const TemporaryDirectory directory;
  const auto path = directory / "f.h5";
  const auto refuse = [&](const std::string& part, auto fill) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    fill(file);
    H5Fclose(file);
    H5Pclose(access);
    expect_error([&] { read_hdf5_table(path); }, {"f.h5", part});
  };
  const auto dataset = [](hid_t file, hid_t type, std::vector<hsize_t> dims, hid_t creation) {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t id = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    std::vector<char> bytes(4096);
    H5Dwrite(id, H5Dget_type(id), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
    H5Dclose(id);
    H5Sclose(space);
  };
  refuse("of fixed length", [&](hid_t f) { dataset(f, H5T_IEEE_F32LE, {4}, H5P_DEFAULT); });
  refuse("of fixed length", [&](hid_t f) { dataset(f, H5T_IEEE_F64BE, {4}, H5P_DEFAULT); });
  refuse("one dim", [&](hid_t f) { dataset(f, H5T_IEEE_F64LE, {4, 2}, H5P_DEFAULT); });
  refuse("position", [&](hid_t f) { dataset(f, H5T_IEEE_F64LE, {4}, H5P_DEFAULT); });
  refuse("not stored as it is", [&](hid_t f) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 2;
    H5Pset_chunk(creation, 1, &chunk);
    dataset(f, H5T_IEEE_F64LE, {4}, creation);
    H5Pclose(creation);
  });
  refuse("not a hard one", [](hid_t f) { H5Lcreate_soft("/y", f, "x", H5P_DEFAULT, H5P_DEFAULT); });
  refuse("no HDF5 dataset", [](hid_t f) { H5Gclose(H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); });
}

// For hdf5_table_oracle.py, which reads it with h5py.
TEST(Hdf5Table, IsWrittenForOthers) {
  const char* path = std::getenv("TRIREME_TABLE");
  if (path == nullptr) GTEST_SKIP() << "TRIREME_TABLE does not name a file";
  write_hdf5_table(path, example());
}

}  // namespace
}  // namespace trireme
