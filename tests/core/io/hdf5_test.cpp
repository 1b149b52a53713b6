// SPDX-License-Identifier: Apache-2.0
#include "core/io/hdf5.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <chrono>
#include <filesystem>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/io/atomic_file.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

Hdf5Layout example() {
  Hdf5Layout layout;
  layout.datasets = {{.path = "/tokens", .dtype = Dtype::u16, .shape = {5000}},
                     {.path = "/m/w", .dtype = Dtype::f32, .shape = {3, 4}, .attributes = {{"rows", 3}}},
                     {.path = "/m/half", .dtype = Dtype::bf16, .shape = {2, 2, 2}},
                     {.path = "/documents", .dtype = Dtype::u64, .shape = {2}},
                     {.path = "/none", .dtype = Dtype::u32, .shape = {0}}};
  layout.attributes = {{"format", std::string("trireme.test")}, {"empty", std::string()}, {"version", -7}};
  return layout;
}

/// The example with its bytes written: byte i of a dataset is i mod 251.
Hdf5Layout write_example(const std::string& path) {
  Hdf5Layout layout = example();
  create_hdf5(path, layout);
  const FileDescriptor file = FileDescriptor::open_write(path);
  for (const Hdf5Dataset& dataset : layout.datasets) {
    std::vector<unsigned char> bytes(dataset.bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i % 251);
    file.pwrite_all(bytes.data(), bytes.size(), dataset.offset);
  }
  return layout;
}

TEST(Hdf5, DescribesWhatItCreated) {
  const TemporaryDirectory directory;
  const Hdf5Layout written = write_example(directory / "a.h5");
  const Hdf5Layout read = read_hdf5(directory / "a.h5");
  ASSERT_EQ(read.datasets.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(read.datasets[i].path, written.datasets[i].path);
    EXPECT_EQ(read.datasets[i].dtype, written.datasets[i].dtype) << read.datasets[i].path;
    EXPECT_EQ(read.datasets[i].shape, written.datasets[i].shape);
    EXPECT_EQ(read.datasets[i].offset, written.datasets[i].offset);
    EXPECT_EQ(read.datasets[i].bytes, written.datasets[i].bytes);
    EXPECT_EQ(read.datasets[i].attributes, written.datasets[i].attributes);
  }
  EXPECT_EQ(read.attributes, written.attributes);
  EXPECT_EQ(read.find("/tokens")->offset % 4096, 0U);
  EXPECT_EQ(read.find("/nothing"), nullptr);
  EXPECT_EQ(int_attribute(read.attributes, "version", "a"), -7);
  EXPECT_EQ(text_attribute(read.attributes, "format", "a"), "trireme.test");
  expect_error([&] { int_attribute(read.attributes, "format", "a.h5"); }, {"a.h5", "'format'", "whole number"});
  expect_error([&] { text_attribute(read.attributes, "version", "a.h5"); }, {"a.h5", "'version'", "text"});
  expect_error([&] { int_attribute(read.attributes, "x", "a.h5"); }, {"a.h5", "'x' is missing"});
}

TEST(Hdf5, TheLibraryReadsTheBytesThatWereWrittenBesideIt) {
  const TemporaryDirectory directory;
  write_example(directory / "a.h5");
  const hid_t file = H5Fopen((directory / "a.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "/tokens", H5P_DEFAULT);
  std::vector<std::uint16_t> tokens(5000);
  EXPECT_GE(H5Dread(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, tokens.data()), 0);
  H5Dclose(dataset);
  H5Fclose(file);
  for (std::size_t i = 0; i < tokens.size(); ++i) ASSERT_EQ(tokens[i], 2 * i % 251 + 256 * ((2 * i + 1) % 251));
}

TEST(Hdf5, TheSameContentIsTheSameBytes) {
  const TemporaryDirectory directory;
  write_example(directory / "a.h5");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // times in HDF5 files are whole seconds
  write_example(directory / "b.h5");
  // Bytes between datasets were never written, so the file system says zero.
  EXPECT_EQ(read_file(directory / "a.h5", 1 << 20), read_file(directory / "b.h5", 1 << 20));
  Hdf5Layout layout = example();
  expect_error([&] { create_hdf5(directory / "a.h5", layout); }, {"cannot create", "a.h5"});
}

TEST(Hdf5, ManyThreadsAtOnce) {
  const TemporaryDirectory directory;
  std::vector<std::thread> threads;
  std::vector<std::size_t> found(4);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string path = directory / fmt::format("{}-{}.h5", t, i);
        write_example(path);
        found[t] += read_hdf5(path).datasets.size();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::accumulate(found.begin(), found.end(), std::size_t{0}), 200U);
}

TEST(Hdf5, RefusesImpossibleRequests) {
  const TemporaryDirectory directory;
  int number = 0;
  const auto expect = [&](const Hdf5Dataset& dataset, const std::string& message) {
    Hdf5Layout layout;
    layout.datasets = {dataset};
    expect_error([&] { create_hdf5(directory / fmt::format("{}.h5", number++), layout); }, {message});
  };
  expect({.path = "tokens", .shape = {1}}, "no dataset path");
  expect({.path = "/a/b/c", .shape = {1}}, "no dataset path");
  expect({.path = "/a//", .shape = {1}}, "no dataset path");
  expect({.path = "/a", .shape = {}}, "0 dims");
  expect({.path = "/a", .dtype = Dtype::u64, .shape = {std::uint64_t{1} << 61U, 4}}, "overflows");
  expect({.path = "/a", .shape = {1}, .attributes = {{"text", std::string(60001, 'x')}}}, "60001 bytes");
}

TEST(Hdf5, RefusesBrokenFiles) {
  const TemporaryDirectory directory;
  write_example(directory / "a.h5");
  const std::string good = read_file(directory / "a.h5", 1 << 20);
  const auto expect = [&](const std::string& bytes, const std::string& message) {
    write_file_atomic(directory / "b.h5", bytes);
    expect_error([&] { read_hdf5(directory / "b.h5"); }, {"b.h5", message});
  };
  expect("", "no HDF5 file");
  expect(std::string(5000, 'x'), "signature");
  expect(good.substr(0, good.size() - 1), "truncated");
  expect(good + "x", "truncated or appended");
  std::string marked = good;
  marked[11] = 1;
  expect(marked, "not closed");
  expect_error([&] { read_hdf5(directory / "c.h5"); }, {"c.h5"});
  expect_error([&] { read_hdf5(directory / "a.h5", {.objects = 3}); }, {"more than 3"});
  expect_error([&] { read_hdf5(directory / "a.h5", {.attributes = 1}); }, {"attributes"});
  expect_error([&] { read_hdf5(directory / "a.h5", {.text_bytes = 5}); }, {"bytes of text"});
}

TEST(Hdf5, AFlippedBitInTheDescriptionIsAnErrorOrChangesNothing) {
  const TemporaryDirectory directory;
  Hdf5Layout layout;
  layout.datasets = {{.path = "/a", .dtype = Dtype::u32, .shape = {7}}};
  layout.attributes = {{"format", std::string("trireme.test")}};
  create_hdf5(directory / "a.h5", layout);
  const std::string good = read_file(directory / "a.h5", 1 << 20);
  const FileDescriptor file = FileDescriptor::open_write(directory / "a.h5");
  int refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    const char bad = static_cast<char>(good[i] ^ (1 << (i % 8)));
    file.pwrite_all(&bad, 1, i);
    try {
      const Hdf5Layout read = read_hdf5(directory / "a.h5");
      ASSERT_EQ(read.attributes, layout.attributes) << "byte " << i;
      ASSERT_EQ(read.datasets.size(), 1U) << "byte " << i;
      ASSERT_EQ(read.datasets[0].offset, layout.datasets[0].offset) << "byte " << i;
      ASSERT_EQ(read.datasets[0].shape, layout.datasets[0].shape) << "byte " << i;
    } catch (const Error&) {
      ++refused;
    }
    file.pwrite_all(&good[i], 1, i);
  }
  EXPECT_GT(refused, 100);
}

/// A file written by the library itself, with things in it that we refuse.
class Foreign {
 public:
  explicit Foreign(const std::string& path) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    creation = H5Pcreate(H5P_DATASET_CREATE);
  }
  ~Foreign() {
    H5Pclose(creation);
    H5Fclose(file);
  }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  void dataset(const char* name, hid_t type, hsize_t elements) const {
    const hid_t space = H5Screate_simple(1, &elements, nullptr);
    const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    EXPECT_GE(id, 0);
    H5Dclose(id);
    H5Sclose(space);
  }

  hid_t file = -1;
  hid_t creation = -1;
};

TEST(Hdf5, RefusesWhatItDoesNotWrite) {
  const TemporaryDirectory directory;
  const std::string path = directory / "f.h5";
  using Make = std::function<void(const Foreign&)>;
  const hsize_t chunk = 16;
  const std::vector<std::pair<std::string, Make>> cases = {
      {"not contiguous",
       [&](const Foreign& f) { H5Pset_chunk(f.creation, 1, &chunk), f.dataset("x", H5T_STD_U8LE, 64); }},
      {"not contiguous",
       [&](const Foreign& f) {
         H5Pset_chunk(f.creation, 1, &chunk), H5Pset_fletcher32(f.creation), f.dataset("x", H5T_STD_U8LE, 64);
       }},
      {"not contiguous",
       [](const Foreign& f) { H5Pset_layout(f.creation, H5D_COMPACT), f.dataset("x", H5T_STD_U8LE, 9); }},
      {"another file",
       [](const Foreign& f) { H5Pset_external(f.creation, "/etc/hostname", 0, 8), f.dataset("x", H5T_STD_U8LE, 8); }},
      {"never written", [](const Foreign& f) { f.dataset("x", H5T_STD_U8LE, 64); }},
      {"element type",
       [](const Foreign& f) {
         H5Pset_alloc_time(f.creation, H5D_ALLOC_TIME_EARLY), f.dataset("x", H5T_STD_I64BE, 64);
       }},
      {"soft", [](const Foreign& f) { H5Lcreate_soft("/y", f.file, "x", H5P_DEFAULT, H5P_DEFAULT); }},
      {"external", [](const Foreign& f) { H5Lcreate_external("g.h5", "/y", f.file, "x", H5P_DEFAULT, H5P_DEFAULT); }},
      {"2 hard links",
       [](const Foreign& f) {
         H5Pset_alloc_time(f.creation, H5D_ALLOC_TIME_EARLY), f.dataset("x", H5T_STD_U8LE, 64);
         H5Lcreate_hard(f.file, "x", f.file, "y", H5P_DEFAULT, H5P_DEFAULT);
       }},
      {"hard links", [](const Foreign& f) { H5Lcreate_hard(f.file, "/", f.file, "loop", H5P_DEFAULT, H5P_DEFAULT); }},
      {"neither an HDF5 group",
       [](const Foreign& f) {
         const hid_t type = H5Tcopy(H5T_STD_U8LE);
         H5Tcommit2(f.file, "x", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Tclose(type);
       }},
  };
  for (const auto& [message, make] : cases) {
    {
      const Foreign foreign(path);
      make(foreign);
    }
    expect_error([&] { read_hdf5(path); }, {"f.h5", message});
  }
  // The earliest format has no checksums on its metadata.
  H5Fclose(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  expect_error([&] { read_hdf5(path); }, {"superblock version 0"});
}

}  // namespace
}  // namespace trireme
