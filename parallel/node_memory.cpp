// SPDX-License-Identifier: Apache-2.0
#include "parallel/node_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>

#include "parallel/shared_ranges.h"

namespace trireme {
namespace {

/// A file descriptor for as long as the scope lasts.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

/// A name that no other job of the machine has.
std::string new_name() {
  std::random_device random;
  return fmt::format("/trireme-{}-{:x}-{:08x}{:08x}", ::getpid(),
                     std::chrono::system_clock::now().time_since_epoch().count(), random(), random());
}

/// The memory of this name, made when `make`; null with the problem when it cannot be had.
std::byte* map(const std::string& name, std::size_t bytes, bool make, std::string& problem) {
  constexpr mode_t kOwner = 0600;
  const Descriptor file(::shm_open(name.c_str(), make ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, kOwner));
  const auto failed = [&](const char* what, int code) {
    problem = fmt::format("cannot {} {} bytes of shared memory of the node: {}", what, bytes, std::strerror(code));
    return nullptr;
  };
  if (file.value() < 0) return failed(make ? "make" : "find", errno);
  // Room is taken at once: where /dev/shm is full, a later write would end the process.
  if (make) {
    if (const int code = ::posix_fallocate(file.value(), 0, static_cast<off_t>(bytes)); code != 0) {
      return failed("take", code);
    }
  }
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.value(), 0);
  if (data == MAP_FAILED) return failed("map", errno);
  return static_cast<std::byte*>(data);
}

}  // namespace

std::shared_ptr<NodeMemory> NodeMemory::open(Group& group, std::size_t bytes, std::string& problem) {
  const bool maker = group.rank() == 0;
  std::string own;
  std::string name;
  std::byte* data = nullptr;
  if (maker) {
    name = new_name();
    data = map(name, bytes, true, own);
  }
  group.host_broadcast(name, 0);
  // A random name that is there on another node as well is not: what is found by it is the same memory.
  group.barrier();
  if (!maker) data = map(name, bytes, false, own);
  problem = first_problem(group.host_gather(own));
  if (maker) ::shm_unlink(name.c_str());
  if (problem.empty()) return std::shared_ptr<NodeMemory>(new NodeMemory(data, bytes));
  if (data != nullptr) ::munmap(data, bytes);
  return nullptr;
}

NodeMemory::~NodeMemory() { ::munmap(data_, bytes_); }

}  // namespace trireme
