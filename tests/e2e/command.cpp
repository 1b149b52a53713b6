// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Far above what any of these programs takes; ctest's own limit is the one that is meant to hold.
constexpr std::chrono::minutes kTimeout{20};
constexpr std::chrono::milliseconds kLookAgain{2};

std::string new_folder() {
  auto pattern = (fs::temp_directory_path() / "trireme-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  return pattern;
}

/// What the environment says in place of what was known when this was built: in a bundle.
std::string given(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : otherwise;
}

// In the child, after fork: only calls that are safe there.
[[noreturn]] void become(char* const* words, const char* folder, const char* out, const char* err) {
  const int in_fd = open("/dev/null", O_RDONLY);
  const int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in_fd >= 0 && out_fd >= 0 && err_fd >= 0 && dup2(in_fd, 0) >= 0 && dup2(out_fd, 1) >= 0 && dup2(err_fd, 2) >= 0 &&
      chdir(folder) == 0) {
    execvp(words[0], words);
  }
  _exit(127);
}

}  // namespace

Process::Process(const Words& words, const std::string& folder) : folder_(new_folder()) {
  const auto out = folder_ + "/out";
  const auto err = folder_ + "/err";
  auto copies = words;
  std::vector<char*> pointers;
  for (auto& word : copies) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  id_ = fork();
  if (id_ < 0) throw std::runtime_error("cannot fork");
  if (id_ == 0) become(pointers.data(), folder.c_str(), out.c_str(), err.c_str());
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    waitpid(id_, &status_, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool Process::running() {
  if (!ended_ && waitpid(id_, &status_, WNOHANG) == id_) ended_ = true;
  return !ended_;
}

void Process::signal(int number) const { kill(id_, number); }

std::vector<pid_t> Process::children(const std::string& name) const {
  std::vector<pid_t> found;
  // mpirun starts ranks from any of its threads.
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(id_) + "/task", ignored)) {
    std::istringstream ids(read_text(task.path() / "children"));
    for (pid_t child = 0; ids >> child;) {
      if (read_text("/proc/" + std::to_string(child) + "/comm") == name + "\n") found.push_back(child);
    }
  }
  return found;
}

std::string Process::errors_so_far() const { return read_text(folder_ + "/err"); }

bool Process::wait_until(const std::function<bool()>& condition) {
  const auto limit = Clock::now() + kTimeout;
  while (Clock::now() < limit) {
    const bool alive = running();
    if (condition()) return true;
    if (!alive) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return false;
}

Outcome Process::wait() {
  if (!wait_until([&] { return ended_; })) {
    signal(SIGKILL);
    waitpid(id_, &status_, 0);
    ended_ = true;
  }
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  return {code, read_text(folder_ + "/out"), read_text(folder_ + "/err")};
}

pid_t rank_of(const Process& job, int rank) {
  const auto entry = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank);
  for (const pid_t id : job.children("trireme")) {
    if (has('\0' + read_text("/proc/" + std::to_string(id) + "/environ"), '\0' + entry + '\0')) return id;
  }
  return -1;
}

Outcome run(const Words& words, const std::string& folder) { return Process(words, folder).wait(); }

Words trireme(const Words& arguments) {
  Words words{given("TRIREME_TEST_BINARY", TRIREME_BINARY)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

Words trireme(int ranks, const Words& arguments) {
  // ctest gives these too; here they are for a test that is started by hand.
  for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                           "OMPI_MCA_rmaps_base_oversubscribe", "OMPI_MCA_mpi_yield_when_idle"}) {
    setenv(name, "1", 0);
  }
  setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
  Words words{given("TRIREME_TEST_MPIEXEC", TRIREME_MPIEXEC), "-n", std::to_string(ranks),
              given("TRIREME_TEST_BINARY", TRIREME_BINARY)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

nlohmann::json only_json(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto& text = outcome.out;
  const bool one_line = !text.empty() && text.front() == '{' && text.find('\n') == text.size() - 1;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  EXPECT_TRUE(one_line && json.is_object()) << "expected one JSON object on stdout, found:\n" << text;
  return json.is_object() ? json : nlohmann::json();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

bool has(const std::string& text, const std::string& part) { return count(text, part) > 0; }

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace trireme::e2e
