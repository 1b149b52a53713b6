// SPDX-License-Identifier: Apache-2.0
// Describing an HDF5 file that may be broken or hostile: everything that create_hdf5 does not write is refused.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/hdf5.h"
#include "core/io/hdf5_handle.h"

namespace trireme {
namespace {

using hdf5::check_call;
using hdf5::Handle;

#if H5_VERSION_GE(1, 12, 0)
constexpr auto kObjectInfo = [](hid_t id, H5O_info2_t* info) {
  return H5Oget_info3(id, info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
};
using ObjectInfo = H5O_info2_t;
#else
constexpr auto kObjectInfo = [](hid_t id, H5O_info_t* info) {
  return H5Oget_info2(id, info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
};
using ObjectInfo = H5O_info_t;
#endif

ObjectInfo object_info(const Handle& object, const std::string& what) {
  ObjectInfo info{};
  check_call(kObjectInfo(object.id(), &info) >= 0, what);
  // One link each: no object under two names, and so no cycles.
  check(info.rc == 1, "{}: {} hard links to one object, 1 expected", what, info.rc);
  return info;
}

Hdf5Value read_value(const Handle& attribute, const Hdf5Limits& limits, const std::string& what) {
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, what);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, what);
  check(H5Sget_simple_extent_type(space.id()) == H5S_SCALAR, "{}: not a single value", what);
  check(H5Tcommitted(type.id()) == 0, "{}: a committed HDF5 type", what);
  if (H5Tequal(type.id(), H5T_STD_I64LE) > 0) {
    std::int64_t value = 0;
    check_call(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value) >= 0, what);
    return value;
  }
  check(H5Tget_class(type.id()) == H5T_STRING && H5Tis_variable_str(type.id()) == 0,
        "{}: neither a 64-bit whole number nor text of fixed length", what);
  const std::size_t size = H5Tget_size(type.id());
  check(size <= limits.text_bytes, "{}: {} bytes of text, at most {} are read", what, size, limits.text_bytes);
  std::string text(size, '\0');
  check_call(H5Aread(attribute.id(), type.id(), text.data()) >= 0, what);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

}  // namespace

namespace hdf5 {

/// The superblock, versions 2 and 3, as the HDF5 file format specification lays it out; the library checks its
/// checksum.
void check_superblock(const std::string& path) {
  const FileDescriptor file = FileDescriptor::open_read(path);
  constexpr std::size_t kBytes = 48;
  check(file.size() >= kBytes, "{} has {} bytes: no HDF5 file", path, file.size());
  std::array<unsigned char, kBytes> block{};
  file.pread_all(block.data(), kBytes, 0);
  check(std::memcmp(block.data(), "\x89HDF\r\n\x1a\n", 8) == 0, "{} does not begin with the HDF5 signature", path);
  check(block[8] == 2 || block[8] == 3, "{}: HDF5 superblock version {}, 2 or 3 expected", path, int{block[8]});
  check(block[9] == 8 && block[10] == 8, "{}: HDF5 with offsets of {} and lengths of {} bytes, 8 expected", path,
        int{block[9]}, int{block[10]});
  check(block[11] == 0, "{} was not closed by its writer (HDF5 consistency flags {:#x})", path, int{block[11]});
  std::uint64_t base = 0;
  std::uint64_t end = 0;
  std::memcpy(&base, &block[12], 8);
  std::memcpy(&end, &block[28], 8);
  check(base == 0, "{}: HDF5 base address {}, 0 expected", path, base);
  check(end == file.size(), "{} has {} bytes, its HDF5 superblock says {}: truncated or appended to", path, file.size(),
        end);
}

Hdf5Attributes read_attributes(const Handle& object, const Hdf5Limits& limits, const std::string& what) {
  const ObjectInfo info = object_info(object, what);
  check(info.num_attrs <= limits.attributes, "{}: {} attributes, at most {} are read", what, info.num_attrs,
        limits.attributes);
  Hdf5Attributes attributes;
  for (hsize_t i = 0; i < info.num_attrs; ++i) {
    const Handle attribute(H5Aopen_by_idx(object.id(), ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose, what);
    std::array<char, 256> name{};
    const ssize_t length = H5Aget_name(attribute.id(), name.size(), name.data());
    check(length > 0 && static_cast<std::size_t>(length) < name.size(), "{}: an attribute name of {} bytes", what,
          length);
    const std::string key(name.data(), static_cast<std::size_t>(length));
    attributes[key] = read_value(attribute, limits, what + "@" + key);
  }
  return attributes;
}

}  // namespace hdf5

namespace {

class Describer {
 public:
  Describer(const std::string& path, const Hdf5Limits& limits)
      : path_(path),
        limits_(limits),
        access_(hdf5::file_access(false)),
        file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access_.id()), H5Fclose, "cannot read " + path) {}

  Hdf5Layout describe() {
    const Handle root(H5Gopen2(file_.id(), "/", H5P_DEFAULT), H5Gclose, path_);
    layout_.attributes = hdf5::read_attributes(root, limits_, path_);
    describe_group(root, "");
    std::sort(layout_.datasets.begin(), layout_.datasets.end(),
              [](const Hdf5Dataset& a, const Hdf5Dataset& b) { return a.path < b.path; });
    return std::move(layout_);
  }

 private:
  void describe_group(const Handle& group, const std::string& prefix) {
    H5G_info_t info{};
    check_call(H5Gget_info(group.id(), &info) >= 0, path_ + prefix);
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      check(++objects_ <= limits_.objects, "{}: more than {} HDF5 objects", path_, limits_.objects);
      const std::string name = link_name(group, i, prefix);
      describe_link(group, name, prefix + "/" + name);
    }
  }

  std::string link_name(const Handle& group, hsize_t index, const std::string& prefix) const {
    std::array<char, 1024> name{};
    const ssize_t length =
        H5Lget_name_by_idx(group.id(), ".", H5_INDEX_NAME, H5_ITER_INC, index, name.data(), name.size(), H5P_DEFAULT);
    check_call(length >= 0, path_ + prefix);
    check(length > 0 && static_cast<std::size_t>(length) < name.size(), "{}{}: an HDF5 name of {} bytes", path_, prefix,
          length);
    return {name.data(), static_cast<std::size_t>(length)};
  }

  void describe_link(const Handle& group, const std::string& name, const std::string& full) {
    const std::string what = path_ + full;
    H5L_info_t link{};
    check_call(H5Lget_info(group.id(), name.c_str(), &link, H5P_DEFAULT) >= 0, what);
    check(link.type == H5L_TYPE_HARD,
          "{}: an HDF5 link that is soft, external or of the user's; only hard ones are read", what);
    const Handle object(H5Oopen(group.id(), name.c_str(), H5P_DEFAULT), H5Oclose, what);
    const ObjectInfo info = object_info(object, what);
    if (info.type == H5O_TYPE_DATASET) {
      describe_dataset(object, full);
    } else {
      check(info.type == H5O_TYPE_GROUP, "{}: neither an HDF5 group nor a dataset", what);
      check(full.find('/', 1) == std::string::npos, "{}: HDF5 groups nested more than one deep", what);
      check(info.num_attrs == 0, "{}: attributes on a group; only the root and datasets have them", what);
      describe_group(object, full);
    }
  }

  void describe_dataset(const Handle& id, const std::string& full) {
    const std::string what = path_ + full;
    Hdf5Dataset dataset;
    dataset.path = full;
    dataset.attributes = hdf5::read_attributes(id, limits_, what);
    check_plain_storage(id, what);
    dataset.shape = read_shape(id, what);
    dataset.dtype = read_dtype(id, dataset.attributes, what);
    dataset.bytes = hdf5::checked_bytes(dataset.shape, dataset.dtype, what);
    if (dataset.bytes > 0) {
      const haddr_t offset = H5Dget_offset(id.id());
      check(offset != HADDR_UNDEF, "{}: no bytes in the file (never written)", what);
      dataset.offset = offset;
      check(H5Dget_storage_size(id.id()) == dataset.bytes, "{}: {} bytes stored, {} expected", what,
            H5Dget_storage_size(id.id()), dataset.bytes);
    }
    layout_.datasets.push_back(std::move(dataset));
  }

  static void check_plain_storage(const Handle& id, const std::string& what) {
    const Handle creation(H5Dget_create_plist(id.id()), H5Pclose, what);
    check(H5Pget_layout(creation.id()) == H5D_CONTIGUOUS, "{}: not contiguous (chunked, compact or virtual)", what);
    check(H5Pget_external_count(creation.id()) == 0, "{}: its bytes are said to lie in another file", what);
    check(H5Pget_nfilters(creation.id()) == 0, "{}: stored through a filter", what);
  }

  static std::vector<std::uint64_t> read_shape(const Handle& id, const std::string& what) {
    const Handle space(H5Dget_space(id.id()), H5Sclose, what);
    const int rank = H5Sget_simple_extent_ndims(space.id());
    check(H5Sget_simple_extent_type(space.id()) == H5S_SIMPLE && rank >= 1 && rank <= 4, "{}: {} dims, 1 to 4 expected",
          what, rank);
    std::array<hsize_t, 4> dims{};
    std::array<hsize_t, 4> largest{};
    check_call(H5Sget_simple_extent_dims(space.id(), dims.data(), largest.data()) == rank, what);
    check(dims == largest, "{}: its size may change", what);
    return {dims.begin(), dims.begin() + rank};
  }

  static Dtype read_dtype(const Handle& id, const Hdf5Attributes& attributes, const std::string& what) {
    const Handle type(H5Dget_type(id.id()), H5Tclose, what);
    check(H5Tcommitted(type.id()) == 0, "{}: a committed HDF5 type", what);
    const auto marked = attributes.find("dtype");
    const bool bf16 = marked != attributes.end() && marked->second == Hdf5Value(std::string("bf16"));
    for (const Dtype dtype : {Dtype::f32, Dtype::u16, Dtype::i32, Dtype::u8, Dtype::u32, Dtype::u64}) {
      if (H5Tequal(type.id(), hdf5::file_type(dtype)) > 0) return dtype == Dtype::u16 && bf16 ? Dtype::bf16 : dtype;
    }
    fail("{}: an element type other than little-endian f32, i32, u8, u16, u32, u64", what);
  }

  const std::string& path_;
  const Hdf5Limits& limits_;
  Handle access_;
  Handle file_;
  Hdf5Layout layout_;
  std::uint64_t objects_ = 0;
};

/// No two datasets share a byte, and all lie within the file.
void check_ranges(const Hdf5Layout& layout, const std::string& path) {
  const std::uint64_t file_bytes = FileDescriptor::open_read(path).size();
  std::vector<const Hdf5Dataset*> order;
  for (const Hdf5Dataset& dataset : layout.datasets) {
    check(dataset.bytes <= file_bytes && dataset.offset <= file_bytes - dataset.bytes,
          "{}{}: bytes {} to {} lie beyond the file's {}", path, dataset.path, dataset.offset,
          dataset.offset + dataset.bytes, file_bytes);
    if (dataset.bytes > 0) order.push_back(&dataset);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    check(order[i - 1]->offset + order[i - 1]->bytes <= order[i]->offset, "{}: {} and {} share bytes", path,
          order[i - 1]->path, order[i]->path);
  }
}

}  // namespace

Hdf5Layout read_hdf5(const std::string& path, const Hdf5Limits& limits) {
  hdf5::check_superblock(path);
  Hdf5Layout layout;
  {
    const auto lock = hdf5::lock_library();
    layout = Describer(path, limits).describe();
  }
  check_ranges(layout, path);
  return layout;
}

}  // namespace trireme
