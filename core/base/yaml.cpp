// SPDX-License-Identifier: Apache-2.0
// YAML text to ConfigNode trees, strictly: yaml-cpp parses, and what is ambiguous or dangerous is refused here.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/base/config.h"
#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxDepth = 32;

/// Builds the tree from the parser's events. Nothing recurses, so depth is bounded by the check alone.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, Problems& problems) : file_(std::move(file)), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) problems_.add(place(mark), "a second YAML document; one file holds one configuration");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    put(node(ConfigNode::Kind::null, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(place(mark), "an alias (*name); write the value out");
    put(node(ConfigNode::Kind::null, mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (!stack_.empty() && stack_.back().node.kind == ConfigNode::Kind::map && !stack_.back().key_open) {
      open_key(mark, value);
      return;
    }
    auto scalar = node(ConfigNode::Kind::scalar, mark);
    scalar.text = value;
    scalar.quoted = tag == "!";
    put(std::move(scalar));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(ConfigNode::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(ConfigNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

  ConfigNode take() { return std::move(root_); }

 private:
  struct Open {
    ConfigNode node;
    bool key_open = false;
    bool drop = false;  // the value of a duplicate or unusable key
  };

  std::string place(const YAML::Mark& mark) const { return fmt::format("{}:{}", file_, mark.line + 1); }
  ConfigNode node(ConfigNode::Kind kind, const YAML::Mark& mark) const {
    ConfigNode n;
    n.kind = kind;
    n.place = place(mark);
    return n;
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) problems_.add(place(mark), "an anchor (&name); write the value out where it is used");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") problems_.add(place(mark), "a tag (" + tag + "); values are plain");
  }
  void open_key(const YAML::Mark& mark, const std::string& key) {
    auto& top = stack_.back();
    top.key_open = true;
    const auto& keys = top.node.keys;
    const auto twin = std::find(keys.begin(), keys.end(), key);
    top.drop = twin != keys.end();
    if (top.drop) {
      const auto& first = top.node.items[static_cast<std::size_t>(twin - keys.begin())];
      problems_.add(place(mark), fmt::format("duplicate key '{}', already given at {}", key, first.place));
      return;
    }
    top.node.keys.push_back(key);
  }
  void start(ConfigNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (!stack_.empty() && stack_.back().node.kind == ConfigNode::Kind::map && !stack_.back().key_open) {
      fail_usage("{}: a map or list used as a key", place(mark));
    }
    check_usage(stack_.size() < kMaxDepth, "{}: nested deeper than {} levels", place(mark), kMaxDepth);
    stack_.push_back({node(kind, mark), false, false});
  }
  void end() {
    auto done = std::move(stack_.back().node);
    stack_.pop_back();
    put(std::move(done));
  }
  void put(ConfigNode value) {
    if (stack_.empty()) {
      if (documents_ <= 1) root_ = std::move(value);
      return;
    }
    auto& top = stack_.back();
    if (top.node.kind == ConfigNode::Kind::map) {
      if (!top.key_open) fail_usage("{}: an empty or unusable key", value.place);
      top.key_open = false;
      if (top.drop) return;
    }
    top.node.items.push_back(std::move(value));
  }

  std::string file_;
  Problems& problems_;
  std::vector<Open> stack_;
  ConfigNode root_;
  int documents_ = 0;
};

}  // namespace

ConfigNode parse_yaml(const std::string& text, const std::string& file, Problems& problems) {
  if (text.size() > kMaxBytes) {
    problems.add(file, fmt::format("{} bytes of YAML; at most {} are read", text.size(), kMaxBytes));
    problems.spoil("");
    return {};
  }
  TreeBuilder builder(file, problems);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    problems.add(fmt::format("{}:{}", file, e.mark.line + 1), "not YAML: " + e.msg);
    problems.spoil("");
  } catch (const Error& e) {
    problems.add("", e.what());
    problems.spoil("");
  }
  return builder.take();
}

ConfigNode parse_yaml_file(const std::string& path, Problems& problems) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    problems.add(path, "cannot be read; give the path of a YAML file");
    problems.spoil("");
    return {};
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  auto root = parse_yaml(text, path, problems);
  if (root.kind == ConfigNode::Kind::scalar || root.kind == ConfigNode::Kind::list) {
    problems.add(root.place, "the file holds a single value or a list; expected a map of settings (KEY: VALUE)");
    problems.spoil("");
    return {};
  }
  return root;
}

}  // namespace trireme
