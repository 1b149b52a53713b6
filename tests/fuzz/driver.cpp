// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target on N mutations of its seeds, the same ones for the same seed number: no special compiler needed.
// driver [inputs] [seed]; the input under way is in the file named by FUZZ_KEEP, if set, when the target crashes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::size_t kMostBytes = 1u << 16;
constexpr double kSlowSeconds =
    5.0;  // for at most 64 KiB: far above noise, far below quadratic time going wrong unseen

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  std::string next() {
    std::string input = seeds_[pick(seeds_.size())];
    const std::size_t steps = 1 + pick(8);
    for (std::size_t i = 0; i < steps; ++i) {
      mutate(input);
    }
    if (input.size() > kMostBytes) {
      input.resize(kMostBytes);
    }
    return input;
  }

 private:
  std::size_t pick(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random_() % n); }

  std::string part() {
    const std::string& from = seeds_[pick(seeds_.size())];
    const std::size_t begin = pick(from.size());
    return from.substr(begin, 1 + pick(40));
  }

  void mutate(std::string& input) {
    const std::size_t at = pick(input.size() + 1);
    switch (pick(8)) {
      case 0:
        if (at < input.size()) {
          input[at] = static_cast<char>(input[at] ^ (1 << pick(8)));
        }
        break;
      case 1:
        if (at < input.size()) {
          input[at] = static_cast<char>(random_());
        }
        break;
      case 2:
        input.insert(at, 1, static_cast<char>(random_()));
        break;
      case 3:
        input.erase(at, 1 + pick(16));
        break;
      case 4:
        input.insert(at, part());
        break;
      case 5:
        input.insert(at, input.substr(pick(input.size()), 1 + pick(64)));
        break;
      case 6:
        input.resize(at);
        break;
      default:
        repeat(input, at);
    }
  }

  void repeat(std::string& input, std::size_t at) {
    const std::string piece = input.substr(at, 1 + pick(12));
    const std::size_t times = 1 + pick(pick(20) == 0 ? 2000 : 20);
    std::string run;
    for (std::size_t i = 0; i < times && run.size() < kMostBytes; ++i) {
      run += piece;
    }
    input.insert(at, run);
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

void keep(const char* path, const std::string& input) {
  if (std::FILE* file = std::fopen(path, "wb"); file != nullptr) {
    std::fwrite(input.data(), 1, input.size(), file);
    std::fclose(file);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t inputs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const char* const keep_path = std::getenv("FUZZ_KEEP");
  const std::vector<std::string> seeds = fuzz_seeds();
  Mutator mutator(seeds, seed);
  double slowest = 0;
  for (std::uint64_t i = 0; i < inputs; ++i) {
    const std::string input = i < seeds.size() ? seeds[i] : mutator.next();
    if (keep_path != nullptr) {
      keep(keep_path, input);
    }
    const auto begin = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    slowest = std::max(slowest, seconds);
    if (seconds > kSlowSeconds) {
      std::fprintf(stderr, "input %llu of seed %llu: %zu bytes took %.1f s\n", static_cast<unsigned long long>(i),
                   static_cast<unsigned long long>(seed), input.size(), seconds);
      return 1;
    }
  }
  std::printf("%llu inputs, slowest %.4f s\n", static_cast<unsigned long long>(inputs), slowest);
  return 0;
}
