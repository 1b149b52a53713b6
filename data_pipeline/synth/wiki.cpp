// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/wiki.h"

#include <bzlib.h>
#include <fmt/format.h>

#include <string_view>

#include "core/base/error.h"
#include "data_pipeline/synth/pages.h"
#include "data_pipeline/synth/sentences.h"
#include "data_pipeline/synth/sha1.h"

namespace trireme::synth {

namespace {

constexpr std::size_t kPagesOfStream = 100;
constexpr std::string_view kOpening =
    R"(<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.mediawiki.org/xml/export-0.11/ http://www.mediawiki.org/xml/export-0.11.xsd" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Encyclopedia of the World</sitename>
    <dbname>synthwiki</dbname>
    <base>http://wiki.example/wiki/Main_Page</base>
    <generator>trireme synth</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="4" case="first-letter">Project</namespace>
      <namespace key="10" case="first-letter">Template</namespace>
      <namespace key="14" case="first-letter">Category</namespace>
    </namespaces>
  </siteinfo>
)";

std::string bzip2(std::string_view bytes) {
  std::string out(bytes.size() + bytes.size() / 100 + 600, '\0');  // bzip2's bound
  auto size = static_cast<unsigned>(out.size());
  const int end = BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(bytes.data()),
                                           static_cast<unsigned>(bytes.size()), 9, 0, 0);
  check(end == BZ_OK, "bzip2 cannot compress {} bytes (code {})", bytes.size(), end);
  out.resize(size);
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct WikiPage {
  std::string title;
  unsigned space = 0;
  std::string redirect;  // its target, or empty
  std::string text;
};

std::string page_xml(const WikiPage& page, std::size_t id, Draws& draws) {
  std::string xml = fmt::format("  <page>\n    <title>{}</title>\n    <ns>{}</ns>\n    <id>{}</id>\n",
                                escaped(page.title), page.space, id);
  if (!page.redirect.empty()) xml += fmt::format("    <redirect title=\"{}\" />\n", escaped(page.redirect));
  const std::size_t revision = 100000 + id * 7;
  // Not as arguments: the order in which those are evaluated is the compiler's.
  const std::size_t day = draws.between(1, 28);
  const std::size_t hour = draws.below(24);
  const std::size_t minute = draws.below(60);
  const std::string digest = base36(sha1(page.text));
  return xml +
         fmt::format(
             "    <revision>\n      <id>{}</id>\n      <parentid>{}</parentid>\n"
             "      <timestamp>2024-04-{:02}T{:02}:{:02}:00Z</timestamp>\n      <contributor>\n"
             "        <username>Clerk {}</username>\n        <id>{}</id>\n      </contributor>\n"
             "      <comment>a small correction</comment>\n      <origin>{}</origin>\n      <model>wikitext</model>\n"
             "      <format>text/x-wiki</format>\n      <text bytes=\"{}\" sha1=\"{}\" "
             "xml:space=\"preserve\">{}</text>\n"
             "      <sha1>{}</sha1>\n    </revision>\n  </page>\n",
             revision, revision - 3, day, hour, minute, 1 + id % 9, 1 + id % 9, revision, page.text.size(), digest,
             escaped(page.text), digest);
}

/// The first mention in bold, towns as links, a source now and then: what an extractor has to take away again.
std::string marked_up(std::string text, const std::string& title, const World& world, Draws& draws) {
  const std::size_t at = text.find(title);
  if (at != std::string::npos) text.replace(at, title.size(), "'''" + title + "'''");
  const std::string& town = draws.pick(world.towns);
  if (town != title) {
    text +=
        fmt::format(" The road to [[{}|the next town]] is {{{{convert|{}|mi|km}}}} long.", town, draws.between(2, 90));
  }
  if (draws.percent(60)) {
    text += fmt::format("<ref>{{{{cite book|title=The Old Register|page={}}}}}</ref>", draws.between(1, 400));
  }
  text += fmt::format(" The census counted {{{{formatnum:{}}}}} hearths nearby.", draws.between(1000, 99999));
  return text;
}

WikiPage article(const World& world, std::size_t number, Draws& draws, std::vector<FactId>& stated) {
  const std::size_t people = world.people.size();
  const std::size_t places = world.towns.size();
  const std::size_t known = people + places + world.feasts.size();
  WikiPage page;
  std::string box, category;
  if (number < known) {
    const bool person = number < people;
    const bool town = !person && number < people + places;
    const std::size_t subject = person ? World::kTrades : town ? World::kGoods : World::kFeasts;
    const auto entry = static_cast<std::uint32_t>(person ? number : town ? number - people : number - people - places);
    page.title = world.subjects[subject].entries[entry];
    category = person ? "People" : town ? "Towns" : "Feasts";
    box = fmt::format("{{{{Infobox {}\n| name = {}\n| {} = {}\n| number = {}\n}}}}\n",
                      person ? "person"
                      : town ? "town"
                             : "feast",
                      page.title,
                      person ? "trade"
                      : town ? "sells"
                             : "place",
                      world.value({static_cast<std::uint32_t>(subject), entry}), draws.below(900));
    page.text = portrait(world, subject, entry, draws, stated);
    page.text += "\n\n== Remarks ==\n" + portrait(world, subject, entry, draws, stated);
  } else {
    const auto& minor = world.minors[(number - known) % world.minors.size()];
    page.title = minor.name;
    category = "Lesser people";
    for (int i = 0; i < 4; ++i) page.text.append(i == 0 ? "" : " ").append(minor_statement(world, minor, draws));
  }
  for (int i = 0; i < 3; ++i) page.text.append(" ").append(small_talk(draws));
  page.text = box + marked_up(page.text, page.title, world, draws);
  page.text += "\n\n== Sources ==\n{{reflist}}\n[[Category:" + category + "]]\n";
  return page;
}

WikiPage aside(const World& world, std::size_t number, Draws& draws) {
  WikiPage page;
  switch (number % 4) {
    case 0:
      return {"Talk:" + draws.pick(world.towns) + "/" + std::to_string(number), 1, "",
              "Is this true? " + small_talk(draws) + " ~~~~"};
    case 1:
      return {"Template:Box " + std::to_string(number), 10, "", "<includeonly>{{{1|}}}</includeonly>"};
    case 2:
      return {"Category:Group " + std::to_string(number), 14, "", "[[Category:All groups]]"};
    default:
      return {"Project:Rules " + std::to_string(number), 4, "", "Be kind. " + small_talk(draws)};
  }
}

}  // namespace

WikiDump wiki_dump(const World& world, std::size_t pages) {
  WikiDump dump;
  // No title twice: beyond the last of the long tail there is nothing left to write about.
  const std::size_t most = world.people.size() + world.towns.size() + world.feasts.size() + world.minors.size();
  dump.xml = bzip2(kOpening);
  std::vector<std::string> titles;
  std::string stream, index;
  for (std::size_t i = 0; i < pages; ++i) {
    Draws draws(world.seed, "synth wiki", i);
    WikiPage page;
    if (i % 5 == 4) {
      const std::string& target = draws.pick(titles);
      page = {"The " + target + " of old (" + std::to_string(i) + ")", 0, target, "#REDIRECT [[" + target + "]]"};
      ++dump.redirects;
    } else if (i % 20 == 13 || dump.articles == most) {
      page = aside(world, dump.other_namespaces++, draws);
    } else {
      page = article(world, dump.articles++, draws, dump.stated);
      titles.push_back(page.title);
    }
    index += fmt::format("{}:{}:{}\n", dump.xml.size(), i + 1, page.title);
    stream += page_xml(page, i + 1, draws);
    if ((i + 1) % kPagesOfStream == 0 || i + 1 == pages) {
      dump.xml += bzip2(stream);
      stream.clear();
    }
  }
  dump.xml += bzip2("</mediawiki>\n");
  dump.index = bzip2(index);
  return dump;
}

}  // namespace trireme::synth
