// SPDX-License-Identifier: Apache-2.0
// Walks the tree and holds every file against the table of who may include what.
#include "tests/house/include_table.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

namespace trireme::house {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kRooms = {"core", "kernels", "parallel", "data_pipeline", "launch", "tests"};

/// Which project files a room may include: whole folders (ending in '/') or single headers. Tests may include
/// everything.
struct RoomRule {
  std::string_view room;
  std::vector<std::string_view> may_include;
};

const std::vector<RoomRule>& room_rules() {
  static const std::vector<RoomRule> rules = {
      {"core/", {"core/"}},
      {"kernels/", {"core/", "kernels/"}},
      {"parallel/", {"core/", "parallel/"}},
      {"data_pipeline/", {"core/", "data_pipeline/"}},
      {"launch/", {"core/", "launch/", "kernels/kernels.h", "parallel/parallel.h", "data_pipeline/data.h"}},
      {"tests/", {"core/", "kernels/", "parallel/", "data_pipeline/", "launch/", "tests/"}},
  };
  return rules;
}

/// Where a library's headers may appear: path prefixes for sources, and (fewer, so that no foreign type leaves its
/// room) for headers. Tests may use every library listed here.
struct LibraryRule {
  std::string_view pattern;
  std::vector<std::string_view> sources;
  std::vector<std::string_view> headers;
};

const std::vector<LibraryRule>& library_rules() {
  static const std::vector<std::string_view> everywhere = {"core/", "kernels/", "parallel/", "data_pipeline/",
                                                           "launch/"};
  static const std::vector<LibraryRule> rules = {
      {"fmt/.*", everywhere, everywhere},
      {"nlohmann/.*", {"core/", "data_pipeline/", "launch/"}, {"core/", "data_pipeline/", "launch/"}},
      {"yaml-cpp/.*", {"core/", "data_pipeline/", "launch/"}, {"core/", "data_pipeline/"}},
      {"hdf5\\.h|H5.*\\.h", {"core/", "data_pipeline/"}, {"core/io/", "data_pipeline/"}},
      {"nlopt\\.h", {"core/scaling/"}, {}},
      {"xxhash\\.h", {"core/", "data_pipeline/"}, {"core/io/", "data_pipeline/"}},
      {"dnnl.*|oneapi/dnnl/.*", {"kernels/cpu/"}, {"kernels/cpu/"}},
      {"omp\\.h", {"kernels/"}, {}},
      {"immintrin\\.h|x86intrin\\.h|arm_neon\\.h", {"kernels/", "data_pipeline/"}, {"kernels/", "data_pipeline/"}},
      {"cuda.*|cublas.*|cudnn.*|cub/.*|cooperative_groups.*|nvtx3/.*",
       {"kernels/cuda/", "parallel/nccl"},
       {"kernels/cuda/"}},
      {"nccl.*", {"parallel/nccl"}, {}},
      {"mpi\\.h", {"parallel/"}, {}},
      {"gumbo\\.h|expat\\.h|utf8proc\\.h|bzlib\\.h|zlib\\.h|zstd.*\\.h", {"data_pipeline/"}, {"data_pipeline/"}},
      {"boost/program_options.*", {"launch/"}, {"launch/"}},
      {"gtest/.*|gmock/.*", {}, {}},
      // POSIX and the compiler's own.
      {"sys/.*|linux/.*|arpa/.*|netinet/.*", everywhere, everywhere},
      {"(unistd|fcntl|dirent|glob|signal|pthread|sched|dlfcn|poll|netdb|spawn|cpuid|cxxabi|execinfo|malloc|termios)\\."
       "h",
       everywhere, everywhere},
  };
  return rules;
}

struct File {
  std::string path;  // relative to the root, with forward slashes
  std::vector<std::string> lines;
};

bool is_header(std::string_view path) { return path.ends_with(".h") || path.ends_with(".cuh"); }
bool is_source(std::string_view path) {
  return path.ends_with(".cpp") || path.ends_with(".cc") || path.ends_with(".cxx") || path.ends_with(".c") ||
         path.ends_with(".cu");
}
bool is_code(std::string_view path) { return is_header(path) || is_source(path); }
bool wants_spdx(std::string_view path) {
  return is_code(path) || path.ends_with(".sh") || path.ends_with(".py") || path.ends_with(".cmake") ||
         path.ends_with("CMakeLists.txt");
}

std::vector<std::string> read_lines(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::vector<File> read_tree(const fs::path& root) {
  std::vector<File> files;
  for (const std::string_view room : kRooms) {
    if (!fs::is_directory(root / room)) {
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string path = fs::relative(entry.path(), root).generic_string();
      if (entry.is_regular_file() && wants_spdx(path)) {
        files.push_back({path, read_lines(entry.path())});
      }
    }
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

bool starts_with_any(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return path.starts_with(p); });
}

std::string join(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += (text.empty() ? "" : ", ") + std::string(word);
  }
  return text.empty() ? "none but tests/" : text;
}

/// What is wrong with `#include "target"` in `file`, if anything.
std::optional<std::string> judge_project_include(const fs::path& root, const std::string& file,
                                                 const std::string& target) {
  if (target.find("..") != std::string::npos || !fs::is_regular_file(root / target)) {
    return "\"" + target + "\" is not a file of this tree: write the path from the root of the repository, and a " +
           "library's header in <>";
  }
  for (const RoomRule& rule : room_rules()) {
    if (!file.starts_with(rule.room)) {
      continue;
    }
    for (const std::string_view allowed : rule.may_include) {
      if (allowed.ends_with('/') ? target.starts_with(allowed) : target == allowed) {
        return std::nullopt;
      }
    }
    return std::string(rule.room) + " may not include \"" + target + "\"; it may include " + join(rule.may_include);
  }
  return std::nullopt;
}

/// What is wrong with `#include <target>` in `file`, if anything.
std::optional<std::string> judge_library_include(const std::string& file, const std::string& target) {
  if (target.find('.') == std::string::npos && target.find('/') == std::string::npos) {
    return std::nullopt;  // the standard library
  }
  for (const LibraryRule& rule : library_rules()) {
    if (!std::regex_match(target, std::regex(std::string(rule.pattern)))) {
      continue;
    }
    const std::vector<std::string_view>& allowed = is_header(file) ? rule.headers : rule.sources;
    if (file.starts_with("tests/") || starts_with_any(file, allowed)) {
      return std::nullopt;
    }
    return "<" + target + "> may not be included here; " + (is_header(file) ? "headers" : "sources") +
           " that may: " + join(allowed);
  }
  return "<" + target +
         "> is not in the table of libraries (tests/house/include_table.cpp): use a C++ header such as " +
         "<cstring>, or add the library to the table and to cmake/Dependencies.cmake";
}

void inspect_includes(const fs::path& root, const File& file, std::vector<Finding>& findings) {
  static const std::regex include(R"re(^\s*#\s*include(_next)?\s*([<"])([^>"]+)[>"].*)re");
  std::smatch match;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (!std::regex_match(file.lines[i], match, include)) {
      continue;
    }
    const std::string target = match[3].str();
    const std::optional<std::string> wrong = match[2].str() == "\"" ? judge_project_include(root, file.path, target)
                                                                    : judge_library_include(file.path, target);
    if (wrong) {
      findings.push_back({file.path, static_cast<int>(i) + 1, *wrong});
    }
  }
}

bool has_line_with(const File& file, std::string_view text, std::size_t within) {
  const auto end = file.lines.begin() + static_cast<std::ptrdiff_t>(std::min(within, file.lines.size()));
  return std::any_of(file.lines.begin(), end,
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

/// The file names that the CMakeLists.txt of `file`'s folder, or of a folder above it, mentions by this path.
bool is_listed(const std::vector<File>& files, const std::string& path) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    const std::string lists = path.substr(0, slash + 1) + "CMakeLists.txt";
    const std::string name = path.substr(slash + 1);
    const auto found = std::find_if(files.begin(), files.end(), [&](const File& f) { return f.path == lists; });
    if (found != files.end()) {
      for (const std::string& line : found->lines) {
        const std::string code = line.substr(0, line.find('#'));
        const std::size_t at = code.find(name);
        const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '/'; };
        if (at != std::string::npos && (at == 0 || !is_word(code[at - 1])) &&
            (at + name.size() == code.size() || !is_word(code[at + name.size()]))) {
          return true;
        }
      }
    }
    if (slash == 0) {
      break;
    }
  }
  return false;
}

void inspect_name(const File& file, std::vector<Finding>& findings) {
  static const std::set<std::string> empty_words = {"util",   "utils",   "utilities", "helper", "helpers",
                                                    "common", "manager", "managers",  "misc"};
  const std::string stem = fs::path(file.path).stem().string();
  for (const std::string& part : {stem, fs::path(file.path).parent_path().filename().string()}) {
    static const std::regex separator("[_.-]");
    for (std::sregex_token_iterator word(part.begin(), part.end(), separator, -1), end; word != end; ++word) {
      if (empty_words.contains(word->str())) {
        findings.push_back({file.path, 0, "'" + word->str() + "' says nothing: name it after what it holds"});
      }
    }
  }
}

}  // namespace

std::vector<Finding> inspect_tree(const fs::path& root) {
  const std::vector<File> files = read_tree(root);
  std::vector<Finding> findings;
  for (const File& file : files) {
    if (!has_line_with(file, "SPDX-License-Identifier: Apache-2.0", 3)) {
      findings.push_back({file.path, 1, "no line 'SPDX-License-Identifier: Apache-2.0' among the first three"});
    }
    inspect_name(file, findings);
    if (!is_code(file.path)) {
      continue;
    }
    if (is_header(file.path) && !has_line_with(file, "#pragma once", file.lines.size())) {
      findings.push_back({file.path, 1, "no #pragma once"});
    }
    if (is_source(file.path) && !is_listed(files, file.path)) {
      findings.push_back({file.path, 0, "no CMakeLists.txt on the way up lists it: it is never compiled"});
    }
    inspect_includes(root, file, findings);
  }
  return findings;
}

int count_code_files(const fs::path& root) {
  const std::vector<File> files = read_tree(root);
  return static_cast<int>(std::count_if(files.begin(), files.end(), [](const File& f) { return is_code(f.path); }));
}

std::string describe(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += finding.file + (finding.line > 0 ? ":" + std::to_string(finding.line) : "") + ": " + finding.message + "\n";
  }
  return text;
}

}  // namespace trireme::house
