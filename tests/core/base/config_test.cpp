// SPDX-License-Identifier: Apache-2.0
#include "core/base/config.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trireme {
namespace {

enum class Colour { red, green };
constexpr std::string_view kColours[] = {"red", "green"};

struct Wheel {
  double radius = 1.0;
};
void fields(FieldVisitor& v, Wheel& c) { v.field("radius", c.radius, "in metres", kPositive); }

struct Cart {
  std::string name = "cart";
  std::int64_t seats = 2;
  bool roof = false;
  Colour colour = Colour::red;
  Wheel spare;
  std::vector<Wheel> wheels;
  std::vector<std::string> riders;
  std::vector<double> loads;
};
void fields(FieldVisitor& v, Cart& c) {
  v.field("name", c.name, "what people call it");
  v.field("seats", c.seats, "how many sit", kAtLeastOne);
  v.field("roof", c.roof, "against rain");
  v.choice("colour", c.colour, kColours, "of the paint");
  v.group("spare", "the spare wheel", [&] { fields(v, c.spare); });
  v.list("wheels", c.wheels, "the wheels");
  v.field("riders", c.riders, "by name");
  v.field("loads", c.loads, "in kilograms", kNotNegative);
}

struct Read {
  Cart cart;
  Places places;
  std::string problems;
};

Read read(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  Read r;
  Problems problems;
  auto root = parse_yaml(yaml, "cart.yaml", problems);
  for (const auto& set : sets) override_node(root, set, problems);
  r.places = read_fields(root, problems, [&](FieldVisitor& v) { fields(v, r.cart); });
  try {
    problems.raise();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    r.problems = e.what();
  }
  return r;
}

TEST(Config, ReadsEveryKindOfFieldAndItsPlace) {
  const auto r = read(
      "name: \"007\"\nseats: 4\nroof: true\ncolour: green\nspare:\n  radius: 0.5\n"
      "wheels:\n  - radius: 2\n  - {}\nriders: [ann, bob]\nloads: [1, 2.5]\n");
  EXPECT_EQ(r.problems, "");
  EXPECT_EQ(r.cart.name, "007");
  EXPECT_EQ(r.cart.seats, 4);
  EXPECT_TRUE(r.cart.roof);
  EXPECT_EQ(r.cart.colour, Colour::green);
  EXPECT_EQ(r.cart.spare.radius, 0.5);
  ASSERT_EQ(r.cart.wheels.size(), 2U);
  EXPECT_EQ(r.cart.wheels[0].radius, 2.0);
  EXPECT_EQ(r.cart.wheels[1].radius, 1.0);
  EXPECT_EQ(r.cart.riders, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_EQ(r.cart.loads, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(r.places.at("spare.radius"), "cart.yaml:6");
}

TEST(Config, ReportsAllProblemsAtOnceWithLines) {
  const auto r = read("seats: 0\nseat: 3\nroof: yes\nseats: 5\ncolour: blue\nspare:\n  radius: -1\n");
  EXPECT_EQ(r.problems,
            "6 problems in the configuration:\n"
            "  cart.yaml:4: duplicate key 'seats', already given at cart.yaml:1\n"
            "  cart.yaml:1: seats = 0 is out of bounds; expected at least 1\n"
            "  cart.yaml:3: roof is yes; expected true or false\n"
            "  cart.yaml:5: colour is blue; expected one of red, green\n"
            "  cart.yaml:7: spare.radius = -1 is out of bounds; expected above 0\n"
            "  cart.yaml:2: unknown setting 'seat'; did you mean 'seats'?");
}

TEST(Config, RefusesWhatYamlMakesAmbiguous) {
  for (const auto* text : {"seats: 010",
                           "seats: 1_000",
                           "seats: '4'",
                           "seats: 4.0",
                           "seats: 1e3",
                           "spare: {radius: .nan}",
                           "spare: {radius: '1'}",
                           "spare: {radius: 1,5}",
                           "seats: 99999999999999999999",
                           "seats: [1]",
                           "name: &a x",
                           "name: *a",
                           "name: !!str x",
                           "--- {}\n--- {}\n",
                           "? {a: b}\n: c",
                           "name: {:",
                           "- 1",
                           "spare: 3",
                           "wheels: {}",
                           "wheels: [1]",
                           "riders: [[x]]",
                           "loads: [-1]",
                           "loads: [[1]]",
                           "loads: [x]",
                           "loads: 3",
                           "roof: 'true'"}) {
    EXPECT_NE(read(text).problems, "") << text;
  }
}

TEST(Config, OneProblemEachWithoutWhatFollows) {
  // What could not be read has no value of its own; the reader does not complain about its absence.
  EXPECT_EQ(read("seats: 2\n", {"spare=3"}).problems, "--set spare=3: spare is 3; expected a map of settings");
  EXPECT_EQ(read("seats: 2\n", {"seats=[1"}).problems.find("seats is"), std::string::npos);
  EXPECT_EQ(read("seats: 2\n", {"seats=[1"}).problems.find("2 problems"), std::string::npos);
  Problems problems;
  EXPECT_FALSE(problems.spoilt("a.b"));
  problems.spoil("a");
  EXPECT_TRUE(problems.spoilt("a"));
  EXPECT_TRUE(problems.spoilt("a.b"));
  EXPECT_TRUE(problems.spoilt("a[0].b"));
  EXPECT_FALSE(problems.spoilt("ab"));
  EXPECT_TRUE(problems.empty());
  problems.spoil("");
  EXPECT_TRUE(problems.spoilt("ab"));
}

TEST(Config, BoundsDepthAndSize) {
  EXPECT_NE(read(std::string(100000, '[')).problems, "");
  EXPECT_NE(read("name: " + std::string(2 << 20, 'x')).problems, "");
}

TEST(Config, OverridesFromTheCommandLine) {
  const auto r = read("seats: 4\n", {"seats=6", "spare.radius=3", "riders=[x]"});
  EXPECT_EQ(r.problems, "");
  EXPECT_EQ(r.cart.seats, 6);
  EXPECT_EQ(r.cart.spare.radius, 3.0);
  EXPECT_EQ(r.cart.riders, (std::vector<std::string>{"x"}));
  EXPECT_EQ(r.places.at("seats"), "--set seats=6");
  EXPECT_EQ(read("", {"seat=6"}).problems, "--set seat=6: unknown setting 'seat'; did you mean 'seats'?");
  EXPECT_NE(read("", {"seats"}).problems, "");
}

TEST(Config, WhatIsWrittenReadsBackTheSame) {
  Cart cart;
  cart.name = "a \"b\" \\ \n c: d";
  cart.spare.radius = 0.1 + 0.2;
  cart.wheels = {{1e-300}, {3}};
  cart.riders = {"true", "12"};
  const auto text = write_fields([&](FieldVisitor& v) { fields(v, cart); });
  const auto r = read(text);
  EXPECT_EQ(r.problems, "");
  EXPECT_EQ(r.cart.name, cart.name);
  EXPECT_EQ(r.cart.spare.radius, cart.spare.radius);
  EXPECT_EQ(r.cart.wheels.at(0).radius, 1e-300);
  EXPECT_EQ(r.cart.riders, cart.riders);
  EXPECT_EQ(write_fields([&](FieldVisitor& v) { fields(v, const_cast<Cart&>(r.cart)); }), text);
}

TEST(Config, HelpShowsEveryFieldOnce) {
  Cart cart;
  const auto help = describe_fields([&](FieldVisitor& v) { fields(v, cart); });
  for (const auto* key : {"name:", "seats:", "roof:", "colour:", "spare:", "wheels:", "riders:", "at least 1"}) {
    EXPECT_NE(help.find(key), std::string::npos) << help;
  }
}

TEST(Config, MergePutsTheTopOverTheBase) {
  Problems problems;
  auto base = parse_yaml("a: 1\nb: {c: 2, d: 3}", "base", problems);
  merge_node(base, parse_yaml("b: {d: 4}\ne: 5", "top", problems));
  EXPECT_EQ(base.find("a")->text, "1");
  EXPECT_EQ(base.find("b")->find("c")->text, "2");
  EXPECT_EQ(base.find("b")->find("d")->text, "4");
  EXPECT_EQ(base.find("b")->find("d")->place, "top:1");
  EXPECT_EQ(base.find("e")->text, "5");
}

}  // namespace
}  // namespace trireme
