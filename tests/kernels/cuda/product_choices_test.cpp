// SPDX-License-Identifier: Apache-2.0
// The file of measured choices: two processes agree, and nothing that is read is trusted. Needs no GPU.
#include "kernels/cuda/product_choices.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace trireme::cuda {
namespace {

namespace fs = std::filesystem;

constexpr AlgorithmSettings kOne{66, 4, 8, 1, 0, 0, 2, 0, 3};
constexpr AlgorithmSettings kOther{67, 4, 8, 2, 2, 1, 0, 1, 5};
constexpr const char* kName = "1024,768,3072,bf16,bf16,bt,bias,align256";

bool any(const AlgorithmSettings& /*settings*/) { return true; }

class ProductChoicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("trireme-choices-" + std::to_string(getpid()));
    fs::remove_all(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  ProductChoices open() const { return ProductChoices(folder.string(), "NVIDIA Test-132-130200"); }
  fs::path file() const { return open().path(); }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file()).rdbuf();
    return all.str();
  }
  void write(const std::string& bytes) const {
    fs::create_directories(folder);
    std::ofstream(file()) << bytes;
  }

  fs::path folder;
};

TEST_F(ProductChoicesTest, TheNextProcessFindsWhatOneHasKept) {
  auto first = open();
  EXPECT_TRUE(first.keeps());
  EXPECT_FALSE(first.find(kName));
  EXPECT_EQ(first.keep(kName, kOne, 12e-6, any), kOne);
  EXPECT_EQ(open().find(kName), kOne);
  EXPECT_EQ(text(), std::string("trireme products 2\n") + kName + " 66.4.8.1.0.0.2.0.3 12000\n");
}

TEST_F(ProductChoicesTest, TheFirstChoiceIsEveryones) {
  auto first = open();
  auto second = open();
  EXPECT_EQ(first.keep(kName, kOne, 1e-6, any), kOne);
  EXPECT_EQ(second.keep(kName, kOther, 1e-6, any), kOne);
  EXPECT_EQ(second.find(kName), kOne);
  // Also where the second one opened the file before the first one wrote it, and asks for the first time now.
  auto third = open();
  EXPECT_EQ(first.keep("1,1,1,bf16,bf16,align16", kOther, 1e-6, any), kOther);
  EXPECT_EQ(third.find("1,1,1,bf16,bf16,align16"), kOther);
}

TEST_F(ProductChoicesTest, AChoiceThatIsOfNoUseIsReplaced) {
  open().keep(kName, kOne, 1e-6, any);
  auto choices = open();
  EXPECT_EQ(choices.keep(kName, kOther, 1e-6, [](const AlgorithmSettings& s) { return s != kOne; }), kOther);
  EXPECT_EQ(open().find(kName), kOther);
}

TEST_F(ProductChoicesTest, MalformedLinesAreAsIfTheyWereNotThere) {
  const std::string good = "a,1 1.2.3.4.5.6.7.8.9 5\n";
  for (const std::string bad :
       {"", "a,1", "b,2 1.2.3.4.5.6.7.8 5", "b,2 1.2.3.4.5.6.7.8.9.10 5", "b,2 1.2.3.4.5.6.7.8.-9 5",
        "b,2 1.2.3.4.5.6.7.8.4294967296 5", "b,2 1.2.3.4.5.6.7.8.9", "b,2 1.2.3.4.5.6.7.8.9 5 6",
        "B,2 1.2.3.4.5.6.7.8.9 5", " 1.2.3.4.5.6.7.8.9 5", "b,2  1.2.3.4.5.6.7.8.9 5", "b,2 1.2.3.4.5.6.7.8.9x 5"}) {
    write("trireme products 2\n" + bad + "\n" + good);
    EXPECT_FALSE(open().find("b,2")) << bad;
    EXPECT_EQ(open().find("a,1"), (AlgorithmSettings{1, 2, 3, 4, 5, 6, 7, 8, 9})) << bad;
  }
  // What short trials chose, in the file of another header.
  write("trireme products 1\n" + good);
  EXPECT_FALSE(open().find("a,1"));
  write("trireme products 2\n" + std::string(97, 'a') + " 1.2.3.4.5.6.7.8.9 5");
  EXPECT_FALSE(open().find(std::string(97, 'a')));
}

TEST_F(ProductChoicesTest, AFileThatIsTooLongIsAsIfEmptyAndReplaced) {
  write("trireme products 2\na,1 1.2.3.4.5.6.7.8.9 5\n" + std::string(std::size_t{1} << 20U, 'x'));
  auto choices = open();
  EXPECT_FALSE(choices.find("a,1"));
  EXPECT_EQ(choices.keep(kName, kOne, 1e-6, any), kOne);
  EXPECT_LT(fs::file_size(file()), 1000U);
}

TEST_F(ProductChoicesTest, AFullFileKeepsNoMore) {
  std::string lines = "trireme products 2\n";
  for (int i = 0; i < 4096; ++i) lines += "p" + std::to_string(i) + " 1.2.3.4.5.6.7.8.9 5\n";
  write(lines);
  auto choices = open();
  EXPECT_FALSE(choices.keeps());
  EXPECT_FALSE(choices.keep(kName, kOne, 1e-6, any));
  EXPECT_TRUE(choices.find("p4095"));
}

TEST_F(ProductChoicesTest, WithoutAFolderNothingIsKept) {
  ProductChoices none("", "machine");
  EXPECT_FALSE(none.keeps());
  EXPECT_FALSE(none.find(kName));
  EXPECT_FALSE(none.keep(kName, kOne, 1e-6, any));
  write("");  // the folder's name is a file's now
  ProductChoices impossible(file().string(), "machine");
  EXPECT_FALSE(impossible.keeps());
}

}  // namespace
}  // namespace trireme::cuda
