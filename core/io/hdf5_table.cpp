// SPDX-License-Identifier: Apache-2.0
#include "core/io/hdf5_table.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/hdf5_handle.h"

namespace trireme {
namespace {

using hdf5::check_call;
using hdf5::Handle;
using hdf5::text_type;
using hdf5::timeless;
using hdf5::write_attribute;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

/// A column of text one value after the other, each as long as the longest.
struct PaddedText {
  std::size_t width = 1;
  std::string bytes;

  PaddedText(const std::vector<std::string>& values, const std::string& what) {
    for (const auto& value : values) {
      check(value.find('\0') == std::string::npos, "{}: text with a zero byte in it", what);
      width = std::max(width, value.size());
    }
    bytes.reserve(values.size() * width);
    for (const auto& value : values) bytes.append(value).append(width - value.size(), '\0');
  }
};

void write_column(const Handle& file, const Hdf5Column& column, std::size_t position, const std::string& what) {
  const auto write = [&](hid_t file_type, hid_t memory_type, const void* data, hsize_t rows) {
    const Handle space(H5Screate_simple(1, &rows, nullptr), H5Sclose, what);
    const Handle creation = timeless(H5P_DATASET_CREATE, what);
    check_call(H5Pset_layout(creation.id(), H5D_CONTIGUOUS) >= 0, what);
    const Handle id(
        H5Dcreate2(file.id(), column.name.c_str(), file_type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT),
        H5Dclose, what);
    if (rows > 0) check_call(H5Dwrite(id.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, what);
    write_attribute(id, "position", static_cast<std::int64_t>(position), what);
  };
  std::visit(Overloaded{[&](const std::vector<double>& values) {
                          write(H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values.data(), values.size());
                        },
                        [&](const std::vector<std::int64_t>& values) {
                          write(H5T_STD_I64LE, H5T_NATIVE_INT64, values.data(), values.size());
                        },
                        [&](const std::vector<std::string>& values) {
                          const PaddedText text(values, what);
                          const auto type = text_type(text.width, what);
                          write(type.id(), type.id(), text.bytes.data(), values.size());
                        }},
             column.values);
}

std::size_t rows_of(const Hdf5Column& column) {
  return std::visit([](const auto& values) { return values.size(); }, column.values);
}

void check_columns(const Hdf5Table& table, const std::string& path) {
  std::set<std::string> names;
  for (const auto& column : table.columns) {
    const auto& name = column.name;
    check(!name.empty() && name != "." && name.find('/') == std::string::npos && name.find('\0') == std::string::npos,
          "{}: a column cannot be called '{}'", path, name);
    check(names.insert(name).second, "{}: two columns are called '{}'", path, name);
    check(rows_of(column) == rows_of(table.columns.front()), "{}: the column '{}' has {} rows, '{}' has {}", path, name,
          rows_of(column), table.columns.front().name, rows_of(table.columns.front()));
  }
}

/// Creates or replaces `path`, not in one step.
void write_whole(const Hdf5Table& table, const std::string& path) {
  const auto lock = hdf5::lock_library();
  const Handle access = hdf5::file_access(false);
  const Handle creation = timeless(H5P_FILE_CREATE, path);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose, "cannot create " + path);
  {
    const Handle root(H5Gopen2(file.id(), "/", H5P_DEFAULT), H5Gclose, path);
    for (const auto& [name, value] : table.attributes) write_attribute(root, name, value, path);
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    write_column(file, table.columns[i], i, path + "/" + table.columns[i].name);
  }
  file.close("cannot finish " + path);
}

/// Reads columns from a file that somebody else may have written.
class TableReader {
 public:
  explicit TableReader(const std::string& path)
      : path_(path),
        file_bytes_(FileDescriptor::open_read(path).size()),
        access_(hdf5::file_access(false)),
        file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access_.id()), H5Fclose, "cannot read " + path) {}

  Hdf5Table read() {
    const Handle root(H5Gopen2(file_.id(), "/", H5P_DEFAULT), H5Gclose, path_);
    Hdf5Table table{{}, hdf5::read_attributes(root, {}, path_)};
    H5G_info_t info{};
    check_call(H5Gget_info(root.id(), &info) >= 0, path_);
    check(info.nlinks <= kMostTableColumns, "{}: {} columns, at most {} are read", path_, info.nlinks,
          kMostTableColumns);
    table.columns.resize(info.nlinks);
    std::vector<bool> seen(info.nlinks);
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      auto [column, position] = read_column(root, i);
      check(position >= 0 && static_cast<hsize_t>(position) < info.nlinks && !seen[static_cast<std::size_t>(position)],
            "{}/{}: its position is {} of {} columns", path_, column.name, position, info.nlinks);
      seen[static_cast<std::size_t>(position)] = true;
      table.columns[static_cast<std::size_t>(position)] = std::move(column);
    }
    check_columns(table, path_);
    return table;
  }

 private:
  std::pair<Hdf5Column, std::int64_t> read_column(const Handle& root, hsize_t index) const {
    std::array<char, 1024> name{};
    const ssize_t length =
        H5Lget_name_by_idx(root.id(), ".", H5_INDEX_NAME, H5_ITER_INC, index, name.data(), name.size(), H5P_DEFAULT);
    check_call(length > 0 && static_cast<std::size_t>(length) < name.size(), path_ + ": a name");
    Hdf5Column column{{name.data(), static_cast<std::size_t>(length)}, {}};
    const auto what = path_ + "/" + column.name;
    H5L_info_t link{};
    check_call(H5Lget_info(root.id(), column.name.c_str(), &link, H5P_DEFAULT) >= 0, what);
    check(link.type == H5L_TYPE_HARD, "{}: an HDF5 link that is not a hard one", what);
    const Handle id(H5Oopen(root.id(), column.name.c_str(), H5P_DEFAULT), H5Oclose, what);
    check(H5Iget_type(id.id()) == H5I_DATASET, "{}: no HDF5 dataset", what);
    column.values = values_of(id, what);
    return {std::move(column), int_attribute(hdf5::read_attributes(id, {}, what), "position", what)};
  }

  decltype(Hdf5Column::values) values_of(const Handle& id, const std::string& what) const {
    const Handle type(H5Dget_type(id.id()), H5Tclose, what);
    const auto rows = rows_in(id, H5Tget_size(type.id()), what);
    const auto read = [&](hid_t memory_type, void* data) {
      if (rows > 0) {
        check_call(H5Dread(id.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, what);
      }
    };
    if (H5Tequal(type.id(), H5T_IEEE_F64LE) > 0) {
      std::vector<double> values(rows);
      read(H5T_NATIVE_DOUBLE, values.data());
      return values;
    }
    if (H5Tequal(type.id(), H5T_STD_I64LE) > 0) {
      std::vector<std::int64_t> values(rows);
      read(H5T_NATIVE_INT64, values.data());
      return values;
    }
    check(H5Tget_class(type.id()) == H5T_STRING && H5Tis_variable_str(type.id()) == 0,
          "{}: neither 64-bit numbers nor text of fixed length", what);
    const auto width = H5Tget_size(type.id());
    std::string bytes(rows * width, '\0');
    read(type.id(), bytes.data());
    std::vector<std::string> values;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto value = std::string_view(bytes).substr(row * width, width);
      values.emplace_back(value.substr(0, value.find_last_not_of('\0') + 1));
    }
    return values;
  }

  /// Rows of a dataset that lies in the file as it is, each of `width` bytes.
  std::size_t rows_in(const Handle& id, std::size_t width, const std::string& what) const {
    const Handle creation(H5Dget_create_plist(id.id()), H5Pclose, what);
    check(H5Pget_layout(creation.id()) == H5D_CONTIGUOUS && H5Pget_external_count(creation.id()) == 0 &&
              H5Pget_nfilters(creation.id()) == 0,
          "{}: not stored as it is (chunked, compact, virtual, filtered or in another file)", what);
    const Handle space(H5Dget_space(id.id()), H5Sclose, what);
    check(H5Sget_simple_extent_type(space.id()) == H5S_SIMPLE && H5Sget_simple_extent_ndims(space.id()) == 1,
          "{}: not of one dim", what);
    hsize_t rows = 0, most = 0;
    check_call(H5Sget_simple_extent_dims(space.id(), &rows, &most) == 1, what);
    check(rows == most && rows <= kMostTableRows, "{}: {} rows, at most {} are read", what, rows, kMostTableRows);
    check(width > 0 && rows <= file_bytes_ / width, "{}: {} rows of {} bytes in a file of {}", what, rows, width,
          file_bytes_);
    check(H5Dget_storage_size(id.id()) == rows * width, "{}: {} bytes stored, {} expected", what,
          H5Dget_storage_size(id.id()), rows * width);
    return rows;
  }

  const std::string& path_;
  std::uint64_t file_bytes_;
  Handle access_, file_;
};

}  // namespace

Hdf5Table read_hdf5_table(const std::string& path) {
  const auto bytes = FileDescriptor::open_read(path).size();
  check(bytes <= kMostTableBytes, "{} has {} bytes, at most {} are read", path, bytes, kMostTableBytes);
  hdf5::check_superblock(path);
  const auto lock = hdf5::lock_library();
  return TableReader(path).read();
}

void write_hdf5_table(const std::string& path, const Hdf5Table& table) {
  check_columns(table, path);
  const auto part = path + ".part";
  try {
    write_whole(table, part);
    FileDescriptor::open_write(part).sync();
    rename_synced(part, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw;
  }
}

}  // namespace trireme
