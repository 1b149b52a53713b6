// SPDX-License-Identifier: Apache-2.0
// The part of Hdf5 that both sides share: handles, the lock, the table of types; and creating a file.
#include "core/io/hdf5.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/base/error.h"
#include "core/io/hdf5_handle.h"

namespace trireme {
namespace hdf5 {

std::unique_lock<std::mutex> lock_library() {
  static std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  static const bool ready = [] {
    H5dont_atexit();
    const bool opened = H5open() >= 0;
    H5PLset_loading_state(0);  // a file must not make us load code
    return opened;
  }();
  check(ready, "the HDF5 library does not start");
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // a setting of the calling thread: print nothing
  return lock;
}

std::string last_error() {
  struct Account {
    std::string text;
    int system_error = 0;
  } account;
  const auto append = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
    auto& out = *static_cast<Account*>(data);
    if (error->desc == nullptr) return 0;
    // The library hands the errno of a failed system call on as text only.
    const char* number = std::strstr(error->desc, "errno = ");
    if (number != nullptr) out.system_error = std::atoi(number + std::strlen("errno = "));
    if (out.text.size() < 1000) out.text += (out.text.empty() ? "" : "; ") + std::string(error->desc);
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append, &account);
  H5Eclear2(H5E_DEFAULT);
  if (account.system_error > 0) return with_errno("", account.system_error).substr(2);  // without the ": "
  std::replace(account.text.begin(), account.text.end(), '\n', ' ');
  return "HDF5 says: " + (account.text.empty() ? "no reason given" : account.text);
}

void check_call(bool ok, const std::string& what) {
  if (!ok) fail("{}: {}", what, last_error());
}

hid_t file_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return H5T_IEEE_F32LE;
    case Dtype::bf16:
    case Dtype::u16:
      return H5T_STD_U16LE;
    case Dtype::i32:
      return H5T_STD_I32LE;
    case Dtype::u8:
      return H5T_STD_U8LE;
    case Dtype::u32:
      return H5T_STD_U32LE;
    case Dtype::u64:
      return H5T_STD_U64LE;
  }
  fail("a dtype that HDF5 files do not hold: {}", static_cast<int>(dtype));
}

std::uint64_t checked_bytes(const std::vector<std::uint64_t>& shape, Dtype dtype, const std::string& what) {
  std::uint64_t bytes = size_of(dtype);
  for (const std::uint64_t dim : shape) {
    check(!__builtin_mul_overflow(bytes, dim, &bytes), "{}: its size overflows 64 bits", what);
  }
  check(bytes <= std::uint64_t{INT64_MAX}, "{}: its size of {} bytes overflows 63 bits", what, bytes);
  return bytes;
}

Handle file_access(bool alignment) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file access properties");
  check_call(
      H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
          H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG) >= 0 &&
          // Parallel file systems often have no flock(); names are unique and files complete before they are read.
          H5Pset_file_locking(access.id(), false, true) >= 0 &&
          (!alignment || H5Pset_alignment(access.id(), 4096, 4096) >= 0),
      "file access properties");
  return access;
}

Handle timeless(hid_t property_class, const std::string& what) {
  Handle creation(H5Pcreate(property_class), H5Pclose, what);
  check_call(H5Pset_obj_track_times(creation.id(), false) >= 0, what);
  return creation;
}

Handle text_type(std::size_t bytes, const std::string& what) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, what);
  check_call(H5Tset_size(type.id(), std::max<std::size_t>(bytes, 1)) >= 0 &&
                 H5Tset_strpad(type.id(), H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type.id(), H5T_CSET_UTF8) >= 0,
             what);
  return type;
}

void write_attribute(const Handle& object, const std::string& name, const Hdf5Value& value, const std::string& what) {
  constexpr std::size_t kLongestText = 60000;  // an attribute lives in an object header of at most 64 KiB
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, what);
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    const Handle attribute(H5Acreate2(object.id(), name.c_str(), H5T_STD_I64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose, what);
    check_call(H5Awrite(attribute.id(), H5T_NATIVE_INT64, number) >= 0, what);
    return;
  }
  const auto& text = std::get<std::string>(value);
  check(text.size() <= kLongestText, "{}: the attribute {} has {} bytes, at most {} fit", what, name, text.size(),
        kLongestText);
  const Handle type = text_type(text.size(), what);
  const Handle attribute(H5Acreate2(object.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, what);
  check_call(H5Awrite(attribute.id(), type.id(), text.empty() ? "" : text.data()) >= 0, what);
}

}  // namespace hdf5

namespace {

using hdf5::check_call;
using hdf5::Handle;
using hdf5::timeless;
using hdf5::write_attribute;

void check_path(const Hdf5Dataset& dataset, const std::string& file) {
  const std::string& path = dataset.path;
  const auto parts = std::count(path.begin(), path.end(), '/');
  check(path.size() >= 2 && path.front() == '/' && path.back() != '/' && parts <= 2 &&
            path.find("//") == std::string::npos && path.find('\0') == std::string::npos,
        "{}: '{}' is no dataset path: '/name' or '/group/name' expected", file, path);
  check(!dataset.shape.empty() && dataset.shape.size() <= 4, "{}{}: {} dims, 1 to 4 expected", file, path,
        dataset.shape.size());
}

/// Makes the group that the path names, if any, unless it is there.
void create_group(const Handle& file, const std::string& dataset_path, const std::string& what) {
  const std::string group = dataset_path.substr(0, dataset_path.find('/', 1));
  if (group == dataset_path) return;
  const htri_t exists = H5Lexists(file.id(), group.c_str(), H5P_DEFAULT);
  check_call(exists >= 0, what);
  if (exists > 0) return;
  const Handle creation = timeless(H5P_GROUP_CREATE, what);
  const Handle made(H5Gcreate2(file.id(), group.c_str(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), H5Gclose, what);
}

void create_dataset(const Handle& file, const std::string& file_path, Hdf5Dataset& dataset) {
  check_path(dataset, file_path);
  const std::string what = file_path + dataset.path;
  dataset.bytes = hdf5::checked_bytes(dataset.shape, dataset.dtype, what);
  const std::vector<hsize_t> dims(dataset.shape.begin(), dataset.shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  const Handle creation = timeless(H5P_DATASET_CREATE, what);
  create_group(file, dataset.path, what);
  check_call(H5Pset_layout(creation.id(), H5D_CONTIGUOUS) >= 0 &&
                 H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY) >= 0 &&
                 H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER) >= 0,
             what);
  const Handle id(H5Dcreate2(file.id(), dataset.path.c_str(), hdf5::file_type(dataset.dtype), space.id(), H5P_DEFAULT,
                             creation.id(), H5P_DEFAULT),
                  H5Dclose, what);
  if (dataset.dtype == Dtype::bf16) dataset.attributes["dtype"] = std::string("bf16");
  for (const auto& [name, value] : dataset.attributes) write_attribute(id, name, value, what);
  dataset.offset = 0;
  if (dataset.bytes > 0) {
    const haddr_t offset = H5Dget_offset(id.id());
    check_call(offset != HADDR_UNDEF, what + ": no place in the file");
    dataset.offset = offset;
  }
}

}  // namespace

const Hdf5Dataset* Hdf5Layout::find(std::string_view path) const {
  const auto found =
      std::find_if(datasets.begin(), datasets.end(), [&](const Hdf5Dataset& d) { return d.path == path; });
  return found == datasets.end() ? nullptr : &*found;
}

void create_hdf5(const std::string& path, Hdf5Layout& layout) {
  const auto lock = hdf5::lock_library();
  std::sort(layout.datasets.begin(), layout.datasets.end(),
            [](const Hdf5Dataset& a, const Hdf5Dataset& b) { return a.path < b.path; });
  const Handle access = hdf5::file_access(true);
  const Handle creation = timeless(H5P_FILE_CREATE, path);
  std::uint64_t bytes = 0;
  for (const Hdf5Dataset& d : layout.datasets) bytes += hdf5::checked_bytes(d.shape, d.dtype, path + d.path);
  const std::string wanted = fmt::format("{}, with {} bytes of arrays to be written", path, bytes);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.id(), access.id()), H5Fclose, "cannot create " + wanted);
  {
    const Handle root(H5Gopen2(file.id(), "/", H5P_DEFAULT), H5Gclose, path);
    for (const auto& [name, value] : layout.attributes) write_attribute(root, name, value, path);
    for (Hdf5Dataset& dataset : layout.datasets) create_dataset(file, path, dataset);
  }
  file.close("cannot finish " + wanted);
}

namespace {

const Hdf5Value& attribute(const Hdf5Attributes& attributes, const std::string& name, const std::string& where) {
  const auto found = attributes.find(name);
  check(found != attributes.end(), "{}: the attribute '{}' is missing", where, name);
  return found->second;
}

}  // namespace

std::int64_t int_attribute(const Hdf5Attributes& attributes, const std::string& name, const std::string& where) {
  const auto* value = std::get_if<std::int64_t>(&attribute(attributes, name, where));
  check(value != nullptr, "{}: the attribute '{}' must be a whole number", where, name);
  return *value;
}

const std::string& text_attribute(const Hdf5Attributes& attributes, const std::string& name, const std::string& where) {
  const auto* value = std::get_if<std::string>(&attribute(attributes, name, where));
  check(value != nullptr, "{}: the attribute '{}' must be text", where, name);
  return *value;
}

}  // namespace trireme
