// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/window.h"

#include <algorithm>
#include <cstring>

namespace trireme {
namespace {

constexpr std::size_t kStepBytes = 64u << 10;

}  // namespace

bool Window::grow() {
  if (buffer_.size() - tail_ < kStepBytes) {
    // Move the live bytes to the front when that frees half of the buffer; else double it: each byte moves O(1) times.
    if (head_ >= buffer_.size() / 2 && head_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + head_, tail_ - head_);
      tail_ -= head_;
      head_ = 0;
    }
    if (buffer_.size() - tail_ < kStepBytes) {
      buffer_.resize(std::max(2 * buffer_.size(), tail_ + 2 * kStepBytes));
    }
  }
  const std::size_t got = stream_.read(buffer_.data() + tail_, kStepBytes);
  if (got == 0) {
    return false;
  }
  if (marks_.empty() || (!stream_.exact() && marks_.back().offset != stream_.offset())) {
    marks_.push_back({total_, stream_.offset()});
  }
  tail_ += got;
  total_ += got;
  return true;
}

bool Window::need(std::size_t n) {
  while (tail_ - head_ < n) {
    if (!grow()) {
      return false;
    }
  }
  return true;
}

void Window::drop(std::size_t n) {
  head_ += n;
  if (head_ == tail_) {
    head_ = tail_ = 0;
  }
  while (marks_.size() > 1 && marks_[1].position <= position()) {
    marks_.pop_front();
  }
}

std::uint64_t Window::skip(std::uint64_t n) {
  std::uint64_t done = 0;
  while (done < n) {
    if (data().empty() && !grow()) {
      break;
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(n - done, data().size()));
    drop(part);
    done += part;
  }
  return done;
}

std::uint64_t Window::offset(std::size_t i) const {
  if (marks_.empty()) {
    return stream_.offset();
  }
  const std::uint64_t at = position() + i;
  auto after = std::upper_bound(marks_.begin(), marks_.end(), at,
                                [](std::uint64_t value, const Mark& mark) { return value < mark.position; });
  const Mark& mark = after == marks_.begin() ? *after : *(after - 1);
  return stream_.exact() ? mark.offset + (at - mark.position) : mark.offset;
}

std::size_t Window::next_piece(std::size_t i) const {
  const std::uint64_t at = position() + i;
  auto after = std::upper_bound(marks_.begin(), marks_.end(), at,
                                [](std::uint64_t value, const Mark& mark) { return value < mark.position; });
  return after == marks_.end() ? std::string_view::npos : static_cast<std::size_t>(after->position - position());
}

bool Window::begins_piece(std::size_t i) const {
  const std::uint64_t at = position() + i;
  const auto mark = std::lower_bound(marks_.begin(), marks_.end(), at,
                                     [](const Mark& m, std::uint64_t value) { return m.position < value; });
  return mark != marks_.end() && mark->position == at;
}

bool Window::resync() {
  head_ = tail_ = 0;
  marks_.clear();
  return stream_.resync();
}

}  // namespace trireme
