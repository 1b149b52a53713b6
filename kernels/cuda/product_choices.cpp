// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/product_choices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <span>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/folder_lock.h"

namespace trireme::cuda {
namespace {

constexpr std::string_view kHeader = "trireme products 2";
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMostChoices = 4096;
constexpr std::size_t kLongestName = 96;
constexpr std::chrono::seconds kPatience{10};  // for other processes' writes, which take milliseconds

/// The text until the next `separator`, which is taken off `rest` with it.
std::string_view next(std::string_view& rest, char separator) {
  const auto end = std::min(rest.find(separator), rest.size());
  const auto word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

/// A number of [0, 2^32), or nothing.
std::optional<std::int64_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ',' || c == '_';
  });
}

std::optional<AlgorithmSettings> settings_of(std::string_view text) {
  AlgorithmSettings settings{};
  for (std::int64_t& setting : settings) {
    const auto value = number(next(text, '.'));
    if (!value) return std::nullopt;
    setting = *value;
  }
  return text.empty() ? std::optional(settings) : std::nullopt;
}

}  // namespace

ProductChoices::ProductChoices(const std::string& folder, std::string_view machine) : folder_(folder) {
  if (folder.empty()) return;
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) return;
  std::string name(machine);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!plain) c = '-';
  }
  path_ = (std::filesystem::path(folder) / ("products-" + name + ".txt")).string();
  read();
}

bool ProductChoices::keeps() const { return !path_.empty() && choices_.size() < kMostChoices; }

void ProductChoices::read() {
  if (missing(path_)) return;
  std::string text;
  try {
    text = read_file(path_, kMostBytes);
  } catch (const Error&) {
    return;  // as if it were empty
  }
  std::string_view rest = text;
  if (next(rest, '\n') != kHeader) return;
  while (!rest.empty() && choices_.size() < kMostChoices) {
    std::string_view line = next(rest, '\n');
    const auto name = next(line, ' ');
    const auto settings = settings_of(next(line, ' '));
    const auto nanoseconds = number(line);
    if (is_name(name) && settings && nanoseconds)
      choices_.insert_or_assign(std::string(name), Choice{*settings, *nanoseconds});
  }
}

std::optional<AlgorithmSettings> ProductChoices::find(const std::string& product) {
  auto hit = choices_.find(product);
  if (hit == choices_.end() && !path_.empty()) {
    read();
    hit = choices_.find(product);
  }
  return hit == choices_.end() ? std::nullopt : std::optional(hit->second.settings);
}

std::optional<AlgorithmSettings> ProductChoices::keep(const std::string& product, const AlgorithmSettings& settings,
                                                      double seconds,
                                                      const std::function<bool(const AlgorithmSettings&)>& acceptable) {
  check(is_name(product), "'{}' is no name of a product", product);
  if (!keeps()) return std::nullopt;
  try {
    const FolderLock lock(folder_, kPatience);
    read();
    const auto hit = choices_.find(product);
    if (hit != choices_.end() && acceptable(hit->second.settings)) return hit->second.settings;
    choices_[product] = {settings, static_cast<std::int64_t>(std::clamp(seconds * 1e9, 0.0, 4e9))};
    std::string text = fmt::format("{}\n", kHeader);
    for (const auto& [name, choice] : choices_) {
      text += fmt::format("{} {} {}\n", name, fmt::join(choice.settings, "."), choice.nanoseconds);
    }
    write_file_atomic(path_, text);
  } catch (const Error&) {
    choices_.erase(product);
    return std::nullopt;
  }
  return settings;
}

}  // namespace trireme::cuda
