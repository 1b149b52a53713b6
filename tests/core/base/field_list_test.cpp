// SPDX-License-Identifier: Apache-2.0
#include "core/base/field_list.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace trireme {
namespace {

struct Oar {
  double length = 4.5;
};
void fields(FieldVisitor& v, Oar& c) { v.field("length", c.length, "in metres", kPositive); }

constexpr std::string_view kWoods[] = {"fir", "pine"};

struct Ship {
  std::string name = "Paralos";
  std::int64_t rowers = 170;
  bool sail = true;
  int wood = 0;
  std::int64_t decks = 0;
  Oar spare;
  std::vector<Oar> oars;
  std::vector<std::string> ports;
  std::vector<double> loads;
};
void fields(FieldVisitor& v, Ship& c) {
  v.field("name", c.name, "on the bow");
  v.field("rowers", c.rowers, "in three banks", kAtLeastOne);
  v.field("sail", c.sail, "for long ways");
  v.choice("wood", c.wood, kWoods, "of the hull");
  v.count_or_auto("decks", c.decks, "one above another");
  v.group("spare", "the spare oar", [&] { fields(v, c.spare); });
  v.list("oars", c.oars, "the oars");
  v.field("ports", c.ports, "in order");
  v.field("loads", c.loads, "in kilograms", {.low = 0, .high = 10});
}

std::vector<FieldEntry> list(Ship ship) {
  return list_fields([&](FieldVisitor& v) { fields(v, ship); });
}

TEST(FieldList, HasEveryFieldWithItsDottedName) {
  Ship ship;
  ship.oars = {{4.0}, {4.2}};
  std::string names;
  for (const auto& entry : list(ship)) names += entry.name + "=" + entry.value + " ";
  EXPECT_EQ(names,
            "name=\"Paralos\" rowers=170 sail=true wood=fir decks=auto spare.length=4.5 oars[0].length=4.0 "
            "oars[1].length=4.2 "
            "ports=[] loads=[] ");
}

TEST(FieldList, AnEmptyListShowsTheFieldsOfAnItemAndStaysEmpty) {
  Ship ship;
  const auto entries = list_fields([&](FieldVisitor& v) { fields(v, ship); });
  EXPECT_EQ(entries[6].name, "oars[].length");
  EXPECT_TRUE(ship.oars.empty());
}

TEST(FieldList, JsonSaysValueDefaultAndWhereFrom) {
  Ship ship;
  ship.rowers = 160;
  ship.wood = 1;
  ship.oars = {{4.0}};
  ship.ports = {"Zea \"old\""};
  const Places places = {{"rowers", "ship.yaml:3"}, {"oars[0].length", "--set oars=..."}};
  const auto json = nlohmann::json::parse(fields_to_json(list(ship), list({}), places)).at("settings");
  ASSERT_EQ(json.size(), 9U);
  EXPECT_EQ(json[0], (nlohmann::json{{"name", "name"},
                                     {"type", "text"},
                                     {"value", "Paralos"},
                                     {"default", "Paralos"},
                                     {"description", "on the bow"},
                                     {"from", "default"}}));
  EXPECT_EQ(json[1], (nlohmann::json{{"name", "rowers"},
                                     {"type", "integer"},
                                     {"value", 160},
                                     {"default", 170},
                                     {"description", "in three banks"},
                                     {"from", "ship.yaml:3"},
                                     {"at_least", 1.0}}));
  EXPECT_EQ(json[2].at("value"), true);
  EXPECT_EQ(json[3].at("value"), "pine");
  EXPECT_EQ(json[3].at("default"), "fir");
  EXPECT_EQ(json[3].at("choices"), (nlohmann::json{"fir", "pine"}));
  EXPECT_EQ(json[4].at("type"), "integer or auto");
  EXPECT_EQ(json[4].at("value"), "auto");
  EXPECT_EQ(json[5].at("above"), 0);
  EXPECT_EQ(json[6].at("name"), "oars[0].length");
  EXPECT_EQ(json[6].at("default"), 4.5);
  EXPECT_EQ(json[6].at("from"), "--set oars=...");
  EXPECT_EQ(json[7].at("value"), nlohmann::json{"Zea \"old\""});
  EXPECT_EQ(json[8].at("at_most"), 10.0);
}

}  // namespace
}  // namespace trireme
