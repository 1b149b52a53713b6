// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/sha1.h"

#include <gtest/gtest.h>

namespace trireme::synth {
namespace {

// The digests are hashlib's of the same bytes, in base64.b32encode and in base 36 by Python's integers.
TEST(Sha1, AgreesWithPublishedDigests) {
  EXPECT_EQ(base32(sha1("abc")), "VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5");
  EXPECT_EQ(base32(sha1("")), "3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
  EXPECT_EQ(base36(sha1("")), "phoiac9h4m842xq45sp7s6u21eteeq1");
}

TEST(Sha1, CrossesBlocksWhereThePaddingNeedsOne) {
  EXPECT_EQ(base32(sha1(std::string(55, 'a'))), "YHELXXBCPFXCRQHBKFR5ECEZWZLCDVS2");
  EXPECT_EQ(base32(sha1(std::string(56, 'a'))), "YLNTGD3AQOCUZGOUWW73N2HST4QBXZUZ");
  EXPECT_EQ(base32(sha1(std::string(64, 'a'))), "ACMLVASLLQLEE66XUEJCUWSEFIS6YZCN");
  EXPECT_EQ(base32(sha1(std::string(1000, 'a'))), "FEPJU3DGTFEUTNL3UXTFANQ6TD6DNMN2");
}

}  // namespace
}  // namespace trireme::synth
