// SPDX-License-Identifier: Apache-2.0
#include "core/io/html_page.h"

#include <fmt/format.h>

#include <cstdint>

namespace trireme {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the character that `text` begins with; 0 where that is none of UTF-8, or none that XML has.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const auto first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return 0;
  std::uint32_t code = first & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  const bool control = code >= 0x80 && code < 0xA0;
  const bool none = code == 0xFFFE || code == 0xFFFF || code > 0x10FFFF;
  return code < kLeast[bytes] || surrogate || control || none ? 0 : bytes;
}

// Colours are named once for light and once for dark; paper is always light.
constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--back:#fff;--ink:#1f2328;--soft:#5b6470;--line:#d8dde3;--fill:#f4f6f8;--mark:#2563a8;
--warn:#9a3412;--warn-fill:#fff4ec}
@media screen and (prefers-color-scheme:dark){:root{--back:#16181d;--ink:#dfe3e8;--soft:#9aa4b0;--line:#343a43;
--fill:#1f232a;--mark:#7db3ea;--warn:#fdba74;--warn-fill:#2c2018}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 20px 64px;max-width:1000px;background:var(--back);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.7em;line-height:1.2;margin:.4em 0}
h2{font-size:1.25em;margin:2em 0 .5em;padding-top:.6em;border-top:1px solid var(--line)}
h3{font-size:1.05em;margin:1.4em 0 .3em}
p{max-width:75ch}
a{color:var(--mark)}
.soft,figcaption{color:var(--soft);font-size:.93em}
.answer{background:var(--fill);border-left:4px solid var(--mark);padding:.6em 1em;margin:1em 0}
.answer p{margin:.5em 0}
.warnings{background:var(--warn-fill);border-left:4px solid var(--warn);padding:.6em 1em;margin:1em 0}
.warnings ul{margin:.2em 0;padding-left:1.2em}
.scroll{overflow-x:auto;margin:.8em 0}
table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}
th,td{padding:.28em .7em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;white-space:nowrap}
td:not(.number){min-width:8em}
figure{margin:1.6em 0;break-inside:avoid}
figcaption{max-width:75ch;margin-top:.3em}
figure svg{display:block;width:100%;height:auto}
.on-narrow{display:none}
pre{background:var(--fill);padding:.8em 1em;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}
@media screen and (max-width:640px){body{padding:12px 12px 40px}.on-wide{display:none}.on-narrow{display:block}
table{font-size:.82em}th,td{padding:.25em .4em}
td:not(.number){min-width:6em}}
@media print{@page{margin:15mm}body{max-width:none;padding:0;font-size:10.5pt}
h2,h3{break-after:avoid}tr,figure,.answer,.warnings{break-inside:avoid}
thead{display:table-header-group}.scroll{overflow:visible}table{font-size:8pt}th,td{padding:.2em .35em}
th{white-space:normal}pre{white-space:pre-wrap;font-size:8pt}a{color:inherit;text-decoration:none}}
)";

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = character_bytes(text.substr(at));
    const auto character = text.substr(at, bytes);
    at += bytes > 0 ? bytes : 1;
    if (character == "&") {
      out += "&amp;";
    } else if (character == "<") {
      out += "&lt;";
    } else if (character == ">") {
      out += "&gt;";
    } else if (character == "\"") {
      out += "&quot;";
    } else if (character == "'") {
      out += "&#39;";
    } else {
      out += bytes > 0 ? character : kReplacement;
    }
  }
  return out;
}

std::string html_of(const HtmlTable& table) {
  const auto cell = [&](const char* tag, std::size_t column, const std::string& text) {
    const bool number = column < table.numbers.size() && table.numbers[column];
    return fmt::format("<{0}{1}>{2}</{0}>", tag, number ? " class=\"number\"" : "", html_escaped(text));
  };
  std::string out = "<div class=\"scroll\"><table>\n<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) out += cell("th", i, table.columns[i]);
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cell("td", i, row[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string html_page(std::string_view title, std::string_view body, std::string_view style) {
  const auto name = html_escaped(title);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      // A reader of a file from elsewhere need not trust it: the page may load and run nothing.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
      "<title>{0}</title>\n<style>{1}{2}</style>\n</head>\n<body>\n{3}</body>\n</html>\n",
      name, kStyle, style, body);
}

}  // namespace trireme
